"""Train a net yourself: controls, a live curve over the recorded ones, and the runs of a session.

Training needs a kernel. In a page of the book the explorer shows recorded runs and says where to
train.
"""

from __future__ import annotations

import html
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from resnet_lib import widgets
from resnet_lib.archive import survey
from resnet_lib.configs import INITS, one_of
from resnet_lib.experiments import EXPERIMENTS, TIERS, at_length
from resnet_lib.explore import page_view, show, widget_class
from resnet_lib.figures import panels, plot_curves
from resnet_lib.models import model_config
from resnet_lib.outputs import printed_name
from resnet_lib.runner import RunSpec, load_once, run_one
from resnet_lib.runs import RunRecord, curves
from resnet_lib.widgets import runs

# The tier whose recipe a data set's runs start from.
TIER_OF = {"embedded": "quick", "cifar10": "short"}
# What the names of nets of a kind begin with; `outputs.FAMILIES` has how they are printed.
PREFIXES = {"plain": "plain", "residual": "resnet", "pre-activation": "preresnet"}
# What the controls begin with; its runs are recorded.
BEGINNING = EXPERIMENTS["train-yourself"]
DEFAULT, BEGINNING_DATA = BEGINNING.models, TIERS["quick"].data


@dataclass(frozen=True)
class Settings:
    """What the controls say: a net, and how it is trained. kind: "plain", "residual" or
    "pre-activation"; the other fields as in `ModelConfig` and `TrainConfig`."""

    depth: int = 20
    kind: str = "plain"
    shortcut: str = "A"
    batch_norm: bool = True
    init: str = "he"
    lr: float = TIERS["quick"].train.lr
    data: str = "embedded"
    iterations: int = BEGINNING.stretch * TIERS["quick"].train.iterations
    seed: int = 0

    def spec(self) -> RunSpec:
        """The run that they mean. Errors: `ConfigError`."""
        one_of(self.data, tuple(TIER_OF), "data set")
        one_of(self.kind, tuple(PREFIXES), "kind of net")
        tier = TIERS[TIER_OF[self.data]]
        images = load_once(self.data, tier.size)
        name = PREFIXES[self.kind]
        fields = {**tier.model, "batch_norm": self.batch_norm, "init": self.init}
        if self.kind != "plain":
            fields["shortcut"] = self.shortcut
        fields |= images.net_fields
        recipe = at_length(tier.train, self.iterations)
        return RunSpec(
            model=model_config(f"{name}{self.depth}", **fields),
            train=replace(recipe, lr=self.lr, seed=self.seed),
            data=self.data,
            size=tier.size,
            tier="session",
        )


class Session:
    """The runs of one sitting: one is trained at a time, in a thread of its own.

    folder: where checkpoints and records are kept; unless given, a temporary one that goes with the
    session. changed: called whenever there is something new to show.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        if folder is None:
            folder = tempfile.mkdtemp(prefix="resnet-session-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.folder = Path(folder)
        self.records: dict[str, RunRecord] = {}
        self.rows: list[dict[str, Any]] = []
        self.spec: RunSpec | None = None
        self.error = ""
        self.changed: Callable[[], None] = lambda: None
        self._thread: threading.Thread | None = None
        self._ended = False
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether a run is being trained now."""
        return self._thread is not None and not self._ended

    @property
    def stopped(self) -> bool:
        """Whether the last run was stopped and can be resumed."""
        record = self.records.get(self.spec.run_id) if self.spec and not self.running else None
        return record is not None and record.status == "interrupted"

    def train(self, settings: Settings) -> bool:
        """Begin a run; False, and nothing else, while one is running. `error` says what failed."""
        return self._begin(settings.spec)

    def resume(self) -> bool:
        """Go on with the run that was stopped."""
        spec = self.spec
        return spec is not None and self._begin(lambda: spec)

    def stop(self) -> None:
        """Stop the run at its next iteration; what it has measured is kept."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until no run is running."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _begin(self, prepare: Callable[[], RunSpec]) -> bool:
        with self._lock:
            if self.running:
                return False
            self.spec, self.rows, self.error = None, [], ""
            self._stop.clear()
            self._ended = False
            self._thread = threading.Thread(target=self._run, args=(prepare,), daemon=True)
            self._thread.start()
        return True

    def _run(self, prepare: Callable[[], RunSpec]) -> None:
        """What the thread does; reading the images is part of it, for that can take long."""
        try:
            spec = prepare()
            resumed = self.records.get(spec.run_id)
            self.rows = resumed.curves.to_dict("records") if resumed is not None else []
            self.spec = spec
            record = run_one(spec, self.folder, progress=self._report, stop=self._stop.is_set)
            self.records[spec.run_id] = record
        except Exception as error:  # a thread's error would be lost
            self.error = str(error)
        finally:
            self._ended = True
            self.changed()

    def _report(self, _iteration: int, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.changed()

    def seconds_left(self) -> float | None:
        """How long the run will go on, by its speed so far."""
        if not self.running or not self.rows or self.spec is None:
            return None
        last = self.rows[-1]
        return last["seconds"] * (self.spec.train.iterations / last["iteration"] - 1)

    def name(self, run_id: str) -> str:
        """A run's name in legends: its number in the session, and its net."""
        number = [*self.records, run_id].index(run_id) + 1
        record = self.records.get(run_id)
        net = record.model_name if record else self.spec.model.name
        return f"{number}: {printed_name(net)}"

    def frame(self) -> pd.DataFrame:
        """The curves of all runs of the session, as from `load_runs`; `name` numbers the runs."""
        frame = curves(self.records.values())
        return frame.assign(name=frame["run_id"].map(self.name))

    def outcome(self, guess: str = "") -> str:
        """What became of the last run, beside what was predicted of it."""
        record = self.records.get(self.spec.run_id) if self.spec else None
        if record is not None and record.status == "diverged":
            name = self.name(record.run_id)
            return f"{name} diverged at iteration {record.diverged_at}: try a lower learning rate."
        if record is None or record.status != "complete":
            return ""
        errors = record.curves.query("split == 'test'")["top1_error"]
        said = f"You predicted {guess.strip()}; " if guess.strip() else ""
        name = self.name(record.run_id)
        return f"{said}{name} ended with a test error of {errors.iloc[-1]:.1f}%."

    def compare(self) -> pd.DataFrame:
        """One row a run: what was chosen, its last errors in percent, its status and seconds."""
        rows = []
        for run_id, record in self.records.items():
            last = record.curves.groupby("split")["top1_error"].last()
            chosen = ("shortcut", "batch_norm", "init")
            rows.append(
                {
                    "run": self.name(run_id),
                    **{field: record.model.get(field) for field in chosen},
                    "lr": record.train["lr"],
                    "data": record.data["name"],
                    "iterations": record.iterations_done,
                    "seed": record.train["seed"],
                    "train_error": last.get("train"),
                    "test_error": last.get("test"),
                    "status": record.status,
                    "seconds": record.seconds,
                }
            )
        return pd.DataFrame(rows)

    def plot(self, splits: Iterable[str] = ("train", "test")) -> Figure:
        """The session's curves in the book's style."""
        figures, (ax,) = panels()
        plot_curves(self.frame().assign(model=lambda frame: frame["name"]), ax, splits=splits)
        return figures[0]

    def save(self, folder: Path | str) -> Path:
        """Write the session's records below a folder, where `load_runs(folder)` reads them."""
        for record in self.records.values():
            record.save(Path(folder) / record.run_id)
        return Path(folder)


@cache
def recorded(data_set: str) -> list[dict[str, Any]]:
    """The curves of the archive's runs that train as the controls begin with; read once."""
    usual = map(BEGINNING.label, BEGINNING.arms) if data_set == BEGINNING_DATA else DEFAULT
    archive = survey()
    return [
        curve(record, printed_name(record.model_name), record.curves)
        for label in usual
        for seeds in archive.runs(label, TIER_OF[data_set]).values()
        for record in seeds.values()
    ]


def data(session: Session | None = None, data_set: str = "embedded") -> dict[str, Any]:
    """The recorded runs of a data set, those of a session, and where the present one stands."""
    found: dict[str, Any] = {
        "recorded": recorded(data_set),
        "session": [],
        "progress": None,
        "error": "",
    }
    if session is None:
        return found
    found["error"] = session.error
    spec = session.spec if session.running else None
    for record in list(session.records.values()):
        if spec is None or record.run_id != spec.run_id:
            found["session"].append(curve(record, session.name(record.run_id), record.curves))
    if session.running and spec is None:
        found["progress"] = {"net": "", "iteration": 0, "iterations": 1, "seconds_left": None}
    if spec is not None:
        rows = pd.DataFrame(session.rows, columns=["iteration", "split", "top1_error"])
        found["session"].append(curve(spec, session.name(spec.run_id), rows))
        found["progress"] = {
            "net": printed_name(spec.model.name),
            "iteration": int(rows["iteration"].max()) if len(rows) else 0,
            "iterations": spec.train.iterations,
            "seconds_left": session.seconds_left(),
        }
    return found


def curve(run: RunRecord | RunSpec, name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """One run with its curves, for the chart."""
    model = run.model_config if isinstance(run, RunRecord) else run.model
    return {
        "run_id": run.run_id,
        "name": name,
        "kind": runs.kind_of(model),
        "depth": model.depth,
        **{
            split: [
                [int(iteration), round(float(error), 3)]
                for iteration, error in rows[rows["split"] == split][
                    ["iteration", "top1_error"]
                ].itertuples(index=False)
            ]
            for split in ("train", "test")
        },
    }


def figures(data: dict[str, Any]) -> list[Figure]:
    """One panel: the recorded default."""
    rows = [
        {
            "model": run["name"],
            "kind": "plain" if run["kind"] == "plain" else "residual",
            "depth": run["depth"],
            "seed": run["run_id"],
            "split": split,
            "iteration": iteration,
            "top1_error": error,
        }
        for run in data["recorded"]
        for split in ("train", "test")
        for iteration, error in run[split]
    ]
    if not rows:
        return []
    figures, (ax,) = panels()
    plot_curves(pd.DataFrame(rows), ax)
    return figures


def sentence(data: dict[str, Any]) -> str:
    """What the figure shows."""
    return (
        f"What the controls begin with, recorded: {len(data['recorded'])} runs on the embedded "
        "images. Training needs a kernel: run explore.train() in JupyterLab or Colab."
    )


def explore(folder: Any = None) -> Any:
    """Train a net yourself: controls, a live curve, and the runs of this session.

    folder: where the runs are kept, so that they survive the kernel. Of what this returns, keep
    `session`: `panel = explore.train()`, later `panel.session.compare()`, `.plot()`, `.save(...)`.
    """
    widget_class()  # before anything is built: anywidget may be missing
    return panel(Session(folder))


def panel(session: Session) -> Any:
    """The controls (ipywidgets 7 or 8) above the live chart, for a notebook."""
    import ipywidgets as w

    wide = w.Layout(width="auto")
    narrow = {"style": {"description_width": "90px"}, "layout": w.Layout(width="230px")}
    usual = Settings()
    controls = {
        "depth": w.Dropdown(
            options=(8, 14, 20, 32, 44, 56, 110), value=usual.depth, description="depth", **narrow
        ),
        "kind": w.Dropdown(
            options=("plain", "residual", "pre-activation"), description="net", **narrow
        ),
        "shortcut": w.Dropdown(options=("A", "B", "C"), description="shortcut", **narrow),
        "batch_norm": w.Checkbox(value=True, description="batch normalisation", indent=False),
        "init": w.Dropdown(options=INITS, description="initialisation", **narrow),
        "data": w.Dropdown(options=tuple(TIER_OF), description="data", **narrow),
        "lr": w.FloatText(value=usual.lr, description="learning rate", step=0.01, **narrow),
        "iterations": w.IntText(value=usual.iterations, description="iterations", **narrow),
        "seed": w.IntText(value=usual.seed, description="seed", **narrow),
    }
    train = w.Button(description="Train", button_style="primary", icon="play")
    stop = w.Button(description="Stop", icon="stop", disabled=True)
    resume = w.Button(description="Resume", icon="forward", disabled=True)
    guess = w.Text(description="your prediction: test error, %", placeholder="before you train")
    guess.style.description_width, guess.layout.width = "200px", "340px"
    told = w.HTML()
    chart = show("train", data(session, usual.data))
    state = {"shown": 0.0}

    def refresh() -> None:
        chart.data = data(session, controls["data"].value)
        train.disabled, stop.disabled = session.running, not session.running
        resume.disabled = not session.stopped
        state["shown"] = time.monotonic()

    def changed() -> None:
        """Show what is new, at most five times a second while a run is running."""
        if not session.running or time.monotonic() - state["shown"] > 0.2:
            refresh()
        if not session.running:
            told.value = html.escape(session.outcome(guess.value))

    def act(what: Callable[[], Any]) -> None:
        told.value = ""
        what()
        refresh()

    def settings() -> Settings:
        return Settings(**{name: control.value for name, control in controls.items()})

    def adapt(_change: object) -> None:
        tier = TIERS[TIER_OF[controls["data"].value]]
        controls["lr"].value = tier.train.lr
        refresh()

    def kind(_change: object) -> None:
        controls["shortcut"].disabled = controls["kind"].value == "plain"

    session.changed = changed
    train.on_click(lambda _button: act(lambda: session.train(settings())))
    stop.on_click(lambda _button: act(session.stop))
    resume.on_click(lambda _button: act(session.resume))
    controls["data"].observe(adapt, "value")
    controls["kind"].observe(kind, "value")
    kind(None)
    flow = w.Layout(flex_flow="row wrap", grid_gap="4px 12px")

    box = widgets.with_plain_view(w.VBox, lambda _box: page_view(chart))(
        [
            w.HBox(list(controls.values()), layout=flow),
            w.HBox([guess, train, stop, resume], layout=flow),
            told,
            chart,
        ],
        layout=wide,
    )
    box.session = session
    return box
