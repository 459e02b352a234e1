"""ABA: "is the lease still mine?" is asked by name. It expired, and a restart of the same worker holds it now."""

import asyncio

from linecook.testing import outside


class Lease:
    owner: str | None = None
    epoch = 0

    def take(self, owner: str) -> int:
        self.owner = owner
        self.epoch += 1
        return self.epoch


async def write_report(lease: Lease, name: str, written: list[bool]) -> None:
    if lease.owner is not None:
        return
    epoch = lease.take(name)
    await outside("the model writes")
    if lease.owner == name:  # still mine
        written.append(epoch == lease.epoch)
        lease.owner = None


async def restart(lease: Lease, name: str, written: list[bool]) -> None:
    await outside("no heartbeat for a while")
    lease.owner = None
    await write_report(lease, name, written)


async def main() -> None:
    lease, written = Lease(), list[bool]()
    await asyncio.gather(write_report(lease, "cook", written), restart(lease, "cook", written))
    assert all(written), "a report was written under somebody else's lease"
