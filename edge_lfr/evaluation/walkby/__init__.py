"""
Clips of people walking by, made from portraits, with known truth.

`people` says who walks and who is listed, `heads` cuts them out, `plan` decides who walks where and when, `drawing`
makes the frames. No frame and no head is written here; the caller encodes what it gets.
"""
