"""Landmarks side by side: the same answers, each in a thread of its own, and nothing left behind."""

import threading

import pytest

torch = pytest.importorskip("torch")

from landmark_heatmap.side_by_side import side_by_side  # noqa: E402


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield 3
    torch.set_num_threads(before)


def test_what_comes_back_is_in_the_order_of_what_was_asked(three_threads):
    first_may_end = threading.Event()

    def work(number):
        if number == 0:
            assert first_may_end.wait(60)
        if number == 1:
            first_may_end.set()
        return number * number

    # The first one ends after the second: they were at work at once.
    assert side_by_side(work, range(20)) == [n * n for n in range(20)]


def test_torch_has_one_thread_in_each_and_as_many_as_before_afterwards(three_threads):
    assert side_by_side(lambda _: torch.get_num_threads(), range(6)) == [1] * 6
    assert torch.get_num_threads() == 3
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [3]


@pytest.mark.parametrize("context", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_what_learns_here_learns_in_them_too_and_nothing_else(three_threads, context):
    def state(_):
        return torch.is_grad_enabled(), torch.is_inference_mode_enabled()

    with context():
        assert side_by_side(state, range(6)) == [state(None)] * 6


def test_maps_of_an_inference_may_be_changed_in_them(three_threads):
    with torch.inference_mode():
        maps = torch.ones(6, 4)
        side_by_side(lambda line: line.add_(1), maps)
    assert (maps == 2).all()


def test_an_error_of_one_is_raised_and_the_threads_are_given_back(three_threads):
    def work(number):
        if number == 4:
            raise MemoryError("not enough")
        return number

    with pytest.raises(MemoryError, match="not enough"):
        side_by_side(work, range(9))
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("items, most", [(range(1), None), (range(5), 1), (range(0), None)])
def test_one_at_a_time_stays_in_the_thread_that_asks(three_threads, items, most):
    here = threading.get_ident()
    assert all(n == here for n in side_by_side(lambda _: threading.get_ident(), items, most))


def test_with_one_thread_everything_stays_where_it_is():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = threading.get_ident()
        assert set(side_by_side(lambda _: threading.get_ident(), range(4))) == {here}
    finally:
        torch.set_num_threads(before)
