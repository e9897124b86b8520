from napari_cebra.workspace import Timeline


def listen(signal):
    heard = []
    signal.connect(heard.append)
    return heard


def test_the_same_frame_announces_nothing():
    timeline = Timeline(10)
    heard = listen(timeline.changed)
    timeline.set(4)
    timeline.set(4)
    assert heard == [4]


def test_frames_are_clamped_to_the_recording():
    timeline = Timeline(10)
    timeline.set(99)
    assert timeline.frame == 9
    timeline.step(-50)
    assert timeline.frame == 0


def test_a_shorter_recording_moves_the_frame_inside():
    timeline = Timeline(10)
    timeline.set(9)
    frames, lengths = listen(timeline.changed), listen(timeline.length_changed)
    timeline.set_length(5)
    assert (timeline.frame, frames, lengths) == (4, [4], [5])


def test_two_way_connections_do_not_recur():
    one, other = Timeline(10), Timeline(10)
    one.changed.connect(other.set)
    other.changed.connect(one.set)
    heard = listen(one.changed)
    other.set(7)
    assert one.frame == 7
    assert heard == [7]
