"""What became of each file: verified by content, people's work, or doubtful."""

from releve.recover.handover import Found, Wanted, judge


def wanted(**files: int) -> dict[str, Wanted]:
    return {path: Wanted(size=size, mtime_us=size * 10) for path, size in files.items()}


def found(**files: int) -> dict[str, Found]:
    return {path: Found(size=size, mtime_ns=size * 10_000) for path, size in files.items()}


def test_only_what_the_engine_read_and_found_equal_is_verified():
    fate = judge(wanted(a=1, b=2), found(a=1, b=2), {"a": "unchanged", "b": "restored"})
    assert fate.verified == {"a"}
    assert fate.to_compare == {("b", "b")}


def test_what_differs_with_a_new_time_is_peoples_work():
    there = found(a=1) | {"a": Found(size=1, mtime_ns=99_000)}
    fate = judge(wanted(a=1), there, {"a": "updated"})
    assert fate.changed == {"a"}
    assert not fate.doubtful


def test_what_differs_although_nobody_wrote_it_is_doubtful():
    fate = judge(wanted(a=1), found(a=1), {"a": "updated"})
    assert fate.doubtful == {"a"}
    assert fate.replaced().verified == {"a"}


def test_a_second_name_that_differs_is_doubtful_too():
    fate = judge(wanted(a=1), found(a=1), {"a": "restored"}).compared(frozenset())
    assert fate.doubtful == {"a"}


def test_a_renamed_file_is_neither_new_nor_deleted_once_it_was_read():
    fate = judge(wanted(a=1, b=2), found(c=1, d=3), {})
    assert fate.to_compare == {("a", "c")}
    fate = fate.compared(frozenset({("a", "c")}))
    assert fate.renamed == {("a", "c")}
    assert fate.new == {"d"}
    assert fate.deleted == {"b"}


def test_a_new_file_that_only_looks_like_one_that_went_is_new():
    fate = judge(wanted(a=1), found(c=1), {}).compared(frozenset())
    assert fate.new == {"c"}
    assert fate.deleted == {"a"}
    assert not fate.doubtful


def test_a_database_is_judged_by_its_consistent_copy():
    fate = judge(wanted(a=5), {"a": Found(size=7, mtime_ns=3_000)}, {"a": "updated"})
    equal = fate.with_databases({"a": 3_000}, frozenset({"a"}))
    assert equal.databases == {"a"}
    assert not equal.changed
    assert not equal.doubtful
    flipped = fate.with_databases({"a": 3_000}, frozenset())
    assert flipped.doubtful == {"a"}
    written = fate.with_databases({"a": 1_000}, frozenset())
    assert written.changed == {"a"}
    assert not written.doubtful
