import pytest

from napari_cebra.simulate import V1Movie, simulate_v1


def finish(generator):
    """Run a generator to its end; what it yielded, and its result."""
    reports = []
    while True:
        try:
            reports.append(next(generator))
        except StopIteration as end:
            return reports, end.value


@pytest.fixture(scope="session")
def small():
    """The small recording, without pixels."""
    return simulate_v1(V1Movie.small())
