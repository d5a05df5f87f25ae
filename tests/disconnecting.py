"""Disconnects a user as an operator does. Tokens and disconnections are compared by the second."""

import asyncio
import time

import httpx2


async def disconnect(url: str, user: str, token: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, base_url=url, timeout=20) as http:
        return await http.post(f"/v1/users/{user}/disconnect", headers={"Authorization": f"Bearer {token}"})


async def next_second() -> None:
    await asyncio.sleep(1.01 - time.time() % 1)
