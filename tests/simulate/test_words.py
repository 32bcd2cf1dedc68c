"""The sentences of the live table."""

from releve.apps.simulate.words import honest_sentence


def test_no_number_0_stands_where_a_word_says_it_better() -> None:
    assert honest_sentence("fr", 10, 0, 0, 0) == (
        "Travaux honnêtes : 10, tous connus des règles ; aucun arrêté à tort"
    )
    assert honest_sentence("fr", 25, 15, 0, 0) == (
        "Travaux honnêtes : 25, dont 15 que les règles n'avaient jamais vus ; aucun arrêté à tort"
    )
    assert honest_sentence("fr", 25, 15, 2, 0).endswith("arrêtés à tort : 2")
    assert honest_sentence("en", 25, 15, 2, 1) == (
        "Honest workloads: 25, 15 of them never seen by the rules;"
        " wrongly stopped: 2, 1 of them never seen by the rules"
    )
