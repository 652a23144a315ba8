"""From training to what was learnt, in a real pseudo-terminal: train, find the worst pair, draw a 1."""

from __future__ import annotations

import re


def test_train_inspect_the_most_confused_pair_and_draw_a_one(terminal, tmp_path):
    app = terminal((120, 40))
    app.wait_for("19,458 of 20,000, 542 left")
    app.press("down", "v", "up")
    for _ in range(4):  # auto, mnist, fashion, kmnist, mnist-5k
        app.press("right")
    app.press("down", "0.05", "down", "64", "down", "3")
    app.wait_for("Ready: conv5 on mnist-5k")
    app.press("ctrl+r")
    app.wait_for("✓ finished", 180)

    app.press("i")
    app.wait_for("True (down) and predicted (across)")
    text = app.wait_for("most confused (M):")
    true, predicted = re.search(r"most confused \(M\): (\d) taken for (\d)", text).groups()
    app.press("M")
    text = app.wait_for(f"True {true}, taken for {predicted}   1 of")
    assert f"true {true}" in text
    assert f"says {predicted}" in text
    assert "▀" in text
    app.press("enter")
    app.wait_for("Conv2d-1: 8 of 28 x 28")

    app.press("w")
    app.wait_for("pen up, space to draw")
    app.press(" ")
    app.wait_for("pen down: arrows draw")
    app.press(*["down"] * 19, " ")
    app.wait_for("a 1, ")
    app.press("ctrl+s")
    app.wait_for("Saved")
    assert len(list((tmp_path / "home" / "drawings").glob("*.png"))) == 1
    app.press("escape", "q")
    assert app.exit_code() == 0
