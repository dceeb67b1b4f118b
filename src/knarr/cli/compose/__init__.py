"""What the commands of ``compose`` share: their flags, how they tell what they do, logs in colour.

What is done and in which order is decided in knarr.compose; here it is asked for and shown.
"""
