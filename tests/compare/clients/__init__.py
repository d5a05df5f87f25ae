"""The users' devices: processes of their own, which are told what to do and tell what happens, a line of JSON each."""
