"""What can be opened above any screen: jump mode, presets, settings, what can be copied, and the palette's places."""

from __future__ import annotations

import pytest
from app_pilot import SMALL, WIDE, make_run, opened, screen_text, wait_for, wait_for_text
from textual.color import Color
from textual.command import CommandPalette

from experiments.presets.loader import load_preset, preset_names
from experiments.reports.looks import PALETTES
from experiments.runs.folder import Meta
from experiments.settings import Settings
from tui.app.ordered_keys import CHART
from tui.drawing.picture import theme_colour
from tui.screens.everywhere.jump import Jump
from tui.screens.runs.screen import RunsScreen
from tui.text.run_command import run_command
from tui.widgets.forms.run_form import RunForm
from tui.widgets.forms.spec_editor import SpecEditor


@pytest.mark.parametrize("size", [WIDE, SMALL])
async def test_a_letter_goes_to_what_it_labels(tmp_path, size):
    async with opened(tmp_path, size) as pilot:
        lab = pilot.app.screen
        await pilot.press(";")
        jump = pilot.app.screen
        assert isinstance(jump, Jump)
        labels = jump.letters
        assert {"archs", "preset", "field-lr", "spec"} <= {widget.id for widget in labels.values()}
        letter = next(letter for letter, widget in labels.items() if widget.id == "field-lr")
        await pilot.press(letter)
        assert (pilot.app.screen, lab.focused.id) == (lab, "field-lr")
        await pilot.press("ctrl+n", "ctrl+n", "escape")
        assert (pilot.app.screen, lab.focused.id) == (lab, "field-lr"), "from a field, and not twice"


async def test_presets_are_listed_with_what_was_measured_and_taken(tmp_path):
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("V")
        text = screen_text(pilot)
        assert all(name in text for name in preset_names())
        assert "99.62% (mean of 10)" in text
        await pilot.press("end", "enter")
        name = preset_names()[-1]
        form, editor = pilot.app.screen.query_one(RunForm), pilot.app.screen.query_one(SpecEditor)
        await wait_for(pilot, lambda: editor.arch == load_preset(name).config.arch)
        assert float(form.texts["lr"]) == load_preset(name).config.lr


async def test_a_setting_that_is_changed_in_the_form_is_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "config" / "mnist-tui" / "settings.toml"
    async with opened(tmp_path, SMALL) as pilot:
        await pilot.press("comma")
        await wait_for_text(pilot, "Now from default.")
        await pilot.press(*"sun", "enter")
        await wait_for_text(pilot, "must be one of")
        assert not file.exists()
        await pilot.press("ctrl+u", *"nord", "down", "right", "enter")
        await wait_for(pilot, file.exists)
    assert file.read_text() == 'theme = "nord"\nascii = true\n'


async def test_the_command_of_the_lab_and_of_a_run_are_copied(tmp_path, script, monkeypatch):
    monkeypatch.delenv("TMUX", raising=False)
    values = {"lr": 0.125, "arch": "c8 gap fc10", "epochs": 3}
    run = make_run(tmp_path, script, script.started(config=values), meta=Meta("it's mine", ("a b",)), **values)
    async with opened(tmp_path) as pilot:
        await pilot.press("v", "ctrl+u", *"0.25", "escape", "Y")
        await wait_for_text(pilot, "command: mnist-tui run --lr 0.25")
        await pilot.press("down", "enter")
        assert pilot.app.clipboard == "mnist-tui run --lr 0.25"
        await pilot.press("3")
        await wait_for_text(pilot, "it's mine")
        await pilot.press("Y")
        await wait_for_text(pilot, f"run id: {run.id}")
        await pilot.press("enter")
        assert pilot.app.clipboard == run.id
        await pilot.press("Y", "down", "enter")
        assert pilot.app.clipboard == "c8 gap fc10"
        await pilot.press("Y", "down", "down", "enter")
        assert pilot.app.clipboard == run_command(run.view().config, name="it's mine", tags=("a b",))
        assert "--lr 0.125" in pilot.app.clipboard


async def test_the_palette_goes_to_runs_groups_presets_and_networks_by_name(tmp_path, script):
    make_run(tmp_path, script, script.started(), script.epoch(1), meta=Meta("lonely"))
    make_run(tmp_path, script, script.started(), meta=Meta("trio-0", (), "group-1"))
    async with opened(tmp_path) as pilot:
        app = pilot.app

        async def find(words: str, shown: str) -> None:
            await pilot.press("ctrl+p")
            await wait_for(pilot, lambda: isinstance(app.screen, CommandPalette))
            await pilot.press(*words)
            await wait_for_text(pilot, shown)
            await pilot.press("enter")
            await wait_for(pilot, lambda: not isinstance(app.screen, CommandPalette))

        await wait_for(pilot, lambda: app.catalog.loaded)
        await find("gap7k", "Network gap7k")
        await wait_for(pilot, lambda: app.screen.query_one(SpecEditor).arch == "gap7k" or "c8" in screen_text(pilot))
        assert "7,118 of 20,000" in screen_text(pilot)
        await find("tiny-5k", "Preset tiny-5k")
        await wait_for(pilot, lambda: "4,938 of 20,000" in screen_text(pilot))
        await find("lonely", "Run lonely")
        await wait_for(pilot, lambda: app.current_mode == "training")
        assert app.run_watch.shown.meta.name == "lonely"
        await find("group-1", "Group trio group-1")
        await wait_for(pilot, lambda: isinstance(app.screen, RunsScreen))
        await wait_for_text(pilot, "1 of 2 runs")


async def test_other_keys_hold_in_the_app_its_footer_help_and_texts(tmp_path):
    async with opened(tmp_path, settings=Settings(keymap={"settings": "f9", "runs": "ctrl+y", "help": "f12"})) as pilot:
        await pilot.press("ctrl+y")
        await wait_for_text(pilot, "There are no runs yet.")
        assert "F12 Help" in screen_text(pilot)
        assert "ctrl+y Runs" in screen_text(pilot)
        await pilot.press("3", "question_mark")
        assert isinstance(pilot.app.screen, RunsScreen), "the usual ones are free"
        await pilot.press("f12", "end")
        await wait_for_text(pilot, "1 2 ctrl+y 4")
        await pilot.press("f12", "f9")
        await wait_for_text(pilot, "Now from default.")


async def test_what_is_wrong_in_the_settings_is_told_once_at_the_start(tmp_path):
    async with opened(tmp_path) as pilot:
        pilot.app.first_words = ("settings.toml, line 3: mouse = 3: must be true or false",)
        pilot.app._painted_first()
        await wait_for_text(pilot, "must be true or")


@pytest.mark.parametrize("name", PALETTES)
async def test_a_palette_colours_pictures_and_nothing_else_of_the_theme(tmp_path, name):
    async with opened(tmp_path) as pilot:
        usual = dict(pilot.app.theme_variables)
    async with opened(tmp_path, settings=Settings(palette=name)) as pilot:
        app = pilot.app
        changed = {variable for variable, value in app.theme_variables.items() if value != usual[variable]}
        assert changed == {f"chart-{colour}" for colour in CHART}
        expected = [Color.parse(colour).rgb for colour in PALETTES[name][: len(CHART)]]
        assert [theme_colour(app, f"chart-{colour}", (0, 0, 0)) for colour in CHART] == expected
