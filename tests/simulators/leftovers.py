"""What a command that was ended leaves behind: living processes that name its folder."""

from pathlib import Path


def processes_in(folder: Path) -> list[str]:
    """Command lines of living processes that name *folder*."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdigit() else ""
        except OSError:  # it ended while we looked
            continue
        if str(folder) in command:
            found.append(command)
    return found
