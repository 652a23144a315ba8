"""Ways to anywhere: jump mode, the settings, and the runs, groups, presets and networks that the palette finds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, cast

from textual.app import App
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.widget import Widget

from core.errors import LabError
from core.models.spec import REGISTRY
from experiments.presets.loader import load_preset, preset_names
from experiments.results.ordering import stem_of
from tui.live.lab import Lab
from tui.live.messages import OpenRequested
from tui.live.task import in_a_sentence
from tui.screens.everywhere.jump import Jump
from tui.screens.everywhere.settings import Changes, SettingsForm
from tui.screens.lab import LabScreen
from tui.text.settings import change_setting, user_settings
from tui.text.wording import arch_in_short

Place = tuple[str, Callable[[], Awaitable[None]], str]
"""A name, the way there, and a few words on it."""
SHOWN = 30
"""Runs that a search for a name lists at most, the newest first."""


class GettingAround:
    """What the app does to lead somewhere; `go` leads to one of its four modes."""

    def __init__(self, app: App[int], lab: Lab, go: Callable[[str], Awaitable[None]]) -> None:
        self._app, self.lab, self._go = app, lab, go

    async def jump(self) -> None:
        """Label what can have the focus."""
        screen = self._app.screen
        if isinstance(screen, Jump):
            return

        def chosen(widget: Widget | None) -> None:
            if widget is not None:
                screen.set_focus(widget)

        await self._app.push_screen(Jump(screen), chosen)

    async def settings(self) -> None:
        await self._app.push_screen(SettingsForm(user_settings()), self._keep)

    def _keep(self, changes: Changes | None) -> None:
        try:
            for name, text in (changes or {}).items():
                file = change_setting(name, text or None)
                self._app.notify(f"{name} is {text or 'as by default'} from the next start on: {file}", markup=False)
        except LabError as error:
            self._app.notify(in_a_sentence(error), title="Not kept", severity="error", markup=False)

    async def to_run(self, run_id: str) -> None:
        self._app.post_message(OpenRequested(self.lab.store.run(run_id)))

    async def to_group(self, group_id: str) -> None:
        await self._go("runs")
        from tui.screens.runs.screen import RunsScreen  # which is imported when it is shown for the first time

        if isinstance(self._app.screen, RunsScreen):
            self._app.screen.find(f"group:{group_id}")

    async def to_preset(self, name: str) -> None:
        if (lab := await self._lab()) is not None:
            lab.take_preset(name)

    async def to_network(self, name: str) -> None:
        if (lab := await self._lab()) is not None:
            lab.take_network(name)

    async def _lab(self) -> LabScreen | None:
        await self._go("lab")
        return self._app.screen if isinstance(self._app.screen, LabScreen) else None


class LeadsAround(Protocol):
    around: GettingAround


class Places(Provider):
    """Runs, groups, presets and networks for the palette, by what is in their names."""

    @property
    def _around(self) -> GettingAround:
        return cast(LeadsAround, self.app).around

    async def discover(self) -> Hits:
        for name in preset_names():
            yield DiscoveryHit(
                f"Preset {name}", partial(self._around.to_preset, name), help=load_preset(name).description
            )

    async def search(self, query: str) -> Hits:
        matcher, around = self.matcher(query), self._around
        places: list[Place] = [
            (f"Preset {name}", partial(around.to_preset, name), load_preset(name).description)
            for name in preset_names()
        ]
        places += [(f"Network {name}", partial(around.to_network, name), spec) for name, spec in REGISTRY.items()]
        places += self._runs_and_groups(query)
        for words, go, text in places:
            if (score := matcher.match(words)) > 0:
                yield Hit(score, matcher.highlight(words), go, help=text)

    def _runs_and_groups(self, query: str) -> list[Place]:
        """Those that have every word of the query somewhere, so that only a few are compared letter by letter."""
        words = query.lower().split()
        places: list[Place] = []
        groups: set[str] = set()
        for row, status in self._around.lab.catalog.items:
            if row.group_id and row.group_id not in groups:
                groups.add(row.group_id)
                title = f"Group {stem_of(row)} {row.group_id}".replace("  ", " ")
                if all(word in title.lower() for word in words):
                    places.append((title, partial(self._around.to_group, row.group_id), "Its runs in Runs"))
            title = f"Run {row.name} {row.run_id}".replace("  ", " ")
            if all(word in title.lower() for word in words):
                text = f"{status}, {arch_in_short(row.arch)} on {row.dataset}"
                places.append((title, partial(self._around.to_run, row.run_id), text))
            if len(places) >= SHOWN:
                break
        return places
