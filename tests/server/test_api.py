import datetime as dt

import anyio
import httpx
import msgspec
import pytest
import zstandard

from releve.flow import envelope
from releve.flow.agent.ports import TemporaryError
from releve.flow.server import actions
from releve.flow.wire import Ack, Refusal
from releve.model.order import StopFamily
from tests.server.world import EnrolledHost, Running, add_host, batch, packed, rolled_back, stopped


def post(
    served: Running, host: EnrolledHost, body: bytes, at: dt.datetime, nonce: str = ""
) -> httpx.Response:
    call = host.call("POST", "/api/v1/batches", body, at, nonce)
    headers = {
        envelope.AGENT: call.stamp.agent,
        envelope.TIME: call.stamp.time,
        envelope.NONCE: call.stamp.nonce,
        envelope.SIGNATURE: call.signature,
    }
    return httpx.post(
        f"{served.url}/api/v1/batches", content=body, headers=headers, trust_env=False
    )


def test_a_batch_is_taken_and_its_answer_is_signed_over_the_nonce(served: Running) -> None:
    host = add_host(served.store, "h")
    answer = post(served, host, packed(batch(stopped("f"))), served.context.clock.now(), "n1")
    assert msgspec.json.decode(answer.content, type=Ack).watermark == 1
    signature = answer.headers[envelope.SIGNATURE]
    key = served.home.public_key()
    assert envelope.is_signed(key, envelope.response_bytes("n1", 200, answer.content), signature)
    assert not envelope.is_signed(
        key, envelope.response_bytes("n2", 200, answer.content), signature
    )


def test_replayed_forged_old_and_broken_requests_are_refused(served: Running) -> None:
    host, now = add_host(served.store, "h"), served.context.clock.now()
    body = packed(batch(stopped("f")))
    post(served, host, body, now, "same")
    assert refusal(post(served, host, body, now, "same")) == (409, "replayed")
    old = now - dt.timedelta(hours=1)
    assert refusal(post(served, host, body, old)) == (401, "clock")
    assert refusal(post(served, host, b"not zstd", now)) == (400, "unreadable")
    empty = zstandard.ZstdCompressor().compress(b"{")
    assert refusal(post(served, host, empty, now)) == (400, "unreadable")
    stranger = msgspec.structs.replace(host, id="nobody")
    assert refusal(post(served, stranger, body, now)) == (401, "unknown_agent")
    wrong = msgspec.structs.replace(host, key=add_host(served.store, "o").key)
    assert refusal(post(served, wrong, body, now)) == (401, "forged")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, msgspec.json.decode(answer.content, type=Refusal).refused


def test_a_body_that_unfolds_without_end_is_refused(served: Running) -> None:
    host = add_host(served.store, "h")
    bomb = zstandard.ZstdCompressor().compress(b" " * 200_000_000)
    assert len(bomb) < 100_000
    assert refusal(post(served, host, bomb, served.context.clock.now()))[0] == 400


def test_a_body_may_not_ask_for_more_memory_than_a_batch_may_have(served: Running) -> None:
    host, now = add_host(served.store, "h"), served.context.clock.now()
    wide = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    said = msgspec.json.encode(batch(stopped("f")))
    hungry = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    body = hungry.compress(said) + hungry.flush()
    assert zstandard.get_frame_parameters(body).window_size == 2**27
    assert refusal(post(served, host, body, now)) == (400, "unreadable")
    assert post(served, host, packed(batch(stopped("f"))), now).status_code == 200


def test_a_batch_that_comes_after_a_later_one_changes_nothing(served: Running) -> None:
    host, now = add_host(served.store, "h"), served.context.clock.now()
    later, earlier = batch(stopped("late"), first=3), batch(stopped("a"), stopped("b"), first=1)
    assert post(served, host, packed(later), now).status_code == 200
    with served.store.unit(host.structure, writes=False) as unit:
        before = unit.count_events(), [i.id for i in unit.incidents()], unit.host(host.id)
    answer = post(served, host, packed(earlier), now)
    assert msgspec.json.decode(answer.content, type=Ack).watermark == 3
    with served.store.unit(host.structure, writes=False) as unit:
        after = unit.count_events(), [i.id for i in unit.incidents()], unit.host(host.id)
    assert after[:2] == before[:2]
    assert before[2]
    assert after[2]
    assert after[2].host.state == before[2].host.state


def test_a_body_over_the_limit_is_refused(served: Running) -> None:
    host = add_host(served.store, "h")
    answer = post(served, host, b"x" * (5 * 1024 * 1024), served.context.clock.now())
    assert answer.status_code == 413


def test_a_host_whose_clock_is_off_by_a_day_still_sends(served: Running) -> None:
    host = add_host(served.store, "h")
    client = served.client(host)

    class Off:
        def now(self) -> dt.datetime:
            return dt.datetime.now(dt.UTC) - dt.timedelta(days=1)

    client._clock = Off()
    assert anyio.run(client.send, batch(stopped("f"))).watermark == 1


def test_an_answer_of_another_server_is_not_believed(served: Running, tmp_path: object) -> None:
    host = add_host(served.store, "h")
    client = served.client(host)
    client._server_key = b"k" * 32
    with pytest.raises(TemporaryError, match="not signed"):
        anyio.run(client.send, batch(stopped("f")))


def test_an_order_wakes_the_host_that_waits_for_it(served: Running) -> None:
    host = add_host(served.store, "h")
    client = served.client(host)

    async def scene() -> float:
        took: list[float] = []

        async def wait() -> None:
            answer = await client.wait_orders(20, 0)
            assert len(answer.orders) == 1
            took.append(anyio.current_time())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.5)
            at = anyio.current_time()
            with served.store.unit(host.structure) as unit:
                now, task = served.context.clock.now(), StopFamily(family="f")
                actions.propose(unit, host.id, task, actor="a", identity="q", now=now)
                actions.approve(unit, "q", served.context.key, actor="a", now=now)
        return took[0] - at

    assert anyio.run(scene) < 3
    assert not rolled_back("x").lost
