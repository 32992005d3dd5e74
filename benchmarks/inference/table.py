"""Write the latencies of networks as one Markdown table."""

from typing import Any


def to_markdown(result: dict[str, Any]) -> str:
    """Return the table: accuracy, size, multiply-accumulates, and latency in each program at each batch size."""
    machine, rows = result["machine"], result["networks"]
    columns = {
        (engine, batch): f"{engine}, batch {batch} (ms)"
        for row in rows
        for engine, found in row["latency_ms"].items()
        for batch in found
    }
    precision = "float16" if str(machine["device"]).startswith("cuda") else "float32"
    head = [
        "Network",
        "Form",
        "Test accuracy (%)",
        "Weights kept (%)",
        "Size (MB)",
        "MACs (millions)",
        *columns.values(),
    ]
    lines = [
        f"{machine['name']}, {machine['threads']} threads, torch {machine['torch']}, {precision}. Latency is the "
        f"median of all calls in {result['rounds']} rounds taken in turns, and after the slash the 95th percentile. "
        "Size is that of all parameters in float32, and MACs are multiply-accumulates for one image; both count zeros "
        "as any other number.",
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
    ]
    for row in rows:
        cells = [
            f"{row['data']} {row['network']}",
            row["form"],
            f"{100 * row['test_accuracy']:.2f}",
            f"{100 * row['density']:.1f}",
            f"{row['megabytes']:.2f}",
            f"{row['macs'] / 1e6:.1f}",
            *(_latency(row["latency_ms"].get(engine, {}).get(batch)) for engine, batch in columns),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _latency(found: dict[str, float] | None) -> str:
    return f"{found['median']:.2f} / {found['p95']:.2f}" if found else "–"
