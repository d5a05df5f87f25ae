"""From a user's items to the user's connections: live, caught up from the store, and the safety net."""
