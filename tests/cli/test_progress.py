import io

from napari_cebra.cli.progress import ProgressLine
from napari_cebra.recording import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_one_line_that_is_written_over(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    stream = Terminal()
    with ProgressLine(stream) as line:
        for done in (1, 2, 3):
            line.show(Progress(done, 4, text="Extracting"))
        line.show(Progress(0, 2, text="Training"))
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert text.count("\r") == 4
    assert "Extracting   75 %  1 s left" in text


def test_a_log_gets_a_line_per_step(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    stream = io.StringIO()
    with ProgressLine(stream) as line:
        for done in range(40):
            line.show(Progress(done, 40, text="Extracting"))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Extracting    0 %"
    assert len(lines) == 3
    assert "\r" not in stream.getvalue()
