"""The composition root: settings become storage and outside, flows, the application and its jobs.

Commands that need no server take what they need from the rooms beside it, and start in half the time.
"""
