"""Decides who may connect, greets clients, and ends connections whose time is over."""
