from napari_cebra.workspace import Selection


def test_back_and_forward_walk_through_what_was_selected():
    selection = Selection()
    selection.set_rois([3])
    selection.set_frames([9, 2, 2])
    selection.set_rois([3, 5, 3])
    assert (selection.rois, selection.frames, selection.roi) == ((3, 5), (2, 9), 5)
    selection.back()
    assert (selection.rois, selection.frames) == ((3,), (2, 9))
    selection.back()
    assert (selection.rois, selection.frames) == ((3,), ())
    selection.forward()
    assert selection.frames == (2, 9)
    assert selection.can_go_forward
    selection.clear()
    assert not selection.can_go_forward
    assert selection.roi is None


def test_only_what_changed_is_announced_and_equality_is_silent():
    selection = Selection()
    rois, frames, any_change = [], [], []
    selection.rois_changed.connect(rois.append)
    selection.frames_changed.connect(frames.append)
    selection.changed.connect(lambda: any_change.append(1))
    selection.set_rois([1])
    selection.set_rois([1])
    selection.set_frames([4])
    assert (rois, frames, len(any_change)) == ([(1,)], [(4,)], 2)


def test_history_is_bounded_and_reset_forgets_it():
    selection = Selection(max_history=5)
    for roi in range(20):
        selection.set_rois([roi])
    steps = 0
    while selection.can_go_back:
        selection.back()
        steps += 1
    assert steps == 4
    assert selection.rois == (15,)
    selection.reset()
    assert selection.rois == ()
    assert not (selection.can_go_back or selection.can_go_forward)
