"""Clarion beside the system that it replaces and beside one made of Socket.IO and BullMQ, under one workload."""
