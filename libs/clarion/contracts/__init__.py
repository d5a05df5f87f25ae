"""What every part agrees on: messages, client frames, topics and limits. Data only, no I/O."""
