"""What every HTTP door of Clarion has: who asks, is there room, what came, and errors as problem details."""
