"""The audit: what goes wrong, unseen, in an asyncio program that knows nothing of linecook.

``linecook watch`` is its user; ``linecook.observe.Audit`` is the same thing inside a program or a test.
"""
