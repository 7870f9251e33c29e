"""The labs' own tests on this tree.  In a handout these are the student's: what is not yet written is skipped."""
import pytest
from vitrine.lab import Lab, grade, names, results

SEED = 7
CASES = [(name, test) for name in names() for test in Lab(name).tests]


@pytest.fixture(scope="module")
def stage(built):  # pylint: disable=unused-argument
    """stage(lab) -> this tree, built for that lab's runs."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = grade.Stage(Lab(name), grade.machine.ROOT)
            made[name].make()
        return made[name]

    yield of
    for one in made.values():
        one.close()


@pytest.mark.parametrize("name, test", CASES, ids=[f"{name}-{test}" for name, test in CASES])
def test_lab(stage, name, test):
    result = grade.run_seeds(stage(name), Lab(name).tests[test], SEED)
    if result.outcome == "todo":
        pytest.skip(result.words()[0])
    assert result.outcome == "passed", "\n" + results.lines(result, name, ".")
