# SPDX-License-Identifier: Apache-2.0
"""What the results have to be, and how they are told: a table for whoever
looks on, and a section for docs/gpu.md.

report.py GPU.JSON    prints both again
"""

import json
import sys

GiB = 1 << 30
RATIO = 0.97
XID_OK = "no Xid"


def _size(count):
    for unit, name in ((GiB, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if count >= unit:
            return f"{count // unit} {name}"
    return f"{count} B"


# ---- What has to be --------------------------------------------------------
# Each says (whether it is so, what was seen), or None as the former where it
# can't be told here.

def _rows(result, **wanted):
    return [row for row in result if "left_out" not in row and all(
        row.get(key) == value for key, value in wanted.items())]


def _registers(kind):
    def check(result, _):
        rows = [row for row in _rows(result, memory=kind, rights="r", flags=9)
                if "memlock" not in row]
        if not rows:
            return None, "no such memory here"
        bad = [row["error"] for row in rows if "error" in row]
        if bad:
            return False, bad[0]
        rates = [row["us_per_GiB"] / 1000 for row in rows]
        return True, (f"{min(rates):.1f} to {max(rates):.1f} ms a GiB, up to "
                      f"{_size(max(row['size'] for row in rows))}")
    return check


def _is_refused(result, _):
    rows = _rows(result, rights="r", flags=1)
    taken = [row for row in rows if "error" not in row]
    if taken:
        return None, f"{len(taken)} of {len(rows)} were taken"
    return None, "refused: " + rows[0]["error"]


def _memlock(result, _):
    row = [row for row in result if "memlock" in row][0]
    return "error" not in row, row.get("error", "no matter")


def _unregisters(result, _):
    bad = [row["unregister_error"] for row in result
           if "unregister_error" in row]
    return not bad, str(bad[0]) if bad else "all"


def _ratio(result, _):
    worst = min(result, key=lambda row: row["ratio"])
    best = max(row["ring_GBps"] for row in result)
    return worst["ratio"] >= RATIO, (
        f"{worst['ratio']:.3f} at worst ({_size(worst['size'])}, "
        f"{worst['streams']} streams); {best:.1f} GB/s at best")


def _against_pageable(result, _):
    rows = [row for row in result if "pageable_GBps" in row]
    ahead = [row["ring_GBps"] / row["pageable_GBps"] for row in rows]
    return max(ahead) > 1.2, f"{min(ahead):.1f} to {max(ahead):.1f} times"


def _none(*path):
    def check(result, _):
        value = result
        for key in path:
            value = value[key]
        return value == 0, f"{value}"
    return check


def _none_of_rows(key):
    def check(result, _):
        values = [row[key] for row in result]
        return not any(values), str(values)
    return check


def _batch_rate(result, _):
    row = result["rows"][0]
    return None, (f"{row['batch_GBps']:.1f} GB/s in batches of "
                  f"{result['batch']} by {result['call']}, "
                  f"{row['single_GBps']:.1f} one by one, "
                  f"{_size(row['size'])} each")


def _goes_on(result, results):
    row = result["registered"]
    text = f"{row['host_us']} us of {row['copy_us']} us"
    is_so = row["is_busy"] and (results["small"] or
                                2 * row["host_us"] < row["copy_us"])
    return is_so, text + ("" if row["is_busy"] else ", all was done then")


def _loose_waits(result, _):
    row = result["loose"]
    return None, f"{row['host_us']} us of {row['copy_us']} us"


def _several_rate(result, _):
    return None, ", ".join(f"{row['processes']}: {row['GBps']:.1f} GB/s"
                           for row in result)


def _child(key, wanted):
    def check(result, _):
        got = result["child"].get(key, result["child"].get("error"))
        return got == wanted, f"{got}"
    return check


def _says(key, wanted):
    def check(result, _):
        return result.get(key) == wanted, f"{result.get(key)}"
    return check


def _driver_in_child(result, _):
    return None, f"cuInit says {result['child'].get('cuInit')}"


def _fork_us(result, _):
    return None, f"{result['fork_us']} us"


def _kills(result, _):
    enough = min(result["wanted"], 20)
    return result["kills"] >= enough, (
        f"{result['kills']} of {result['wanted']}, while {result['units']} "
        "units were copied by another one")


def _checked_units(result, _):
    return result["units"] > 0 and result["wrong"] == 0, (
        f"{result['wrong']} of {result['units']}")


def _xid(result, _):
    return not result["xid"], result["xid"][0] if result["xid"] else XID_OK


def _some(key):
    def check(result, _):
        return result[key] > 0, f"{result[key]} of {result['units']}"
    return check


def _arrives(name):
    def check(result, _):
        row = result[name]
        if "left_out" in row:
            return None, "left out: " + row["left_out"]
        text = f"{row['GBps']:.2f} GB/s, {row['cpu_s_per_GB']:.3f} CPU s a GB"
        if "idle_percent" in row:
            text += f", copies idle {row['idle_percent']:.0f} %"
        if "missing" in row and row["missing"]:
            return False, f"{row['missing']} units are not on the device"
        return ("missing" in row) or None, text
    return check


def _faster(result, results):
    other = max((result[name]["GBps"], name) for name in
                ("pinned_loader", "torch_loader") if "GBps" in result[name])
    mine = result["smshard"]["GBps"]
    is_so = mine > other[0] if not results["small"] else None
    return is_so, f"{mine / max(other[0], 1e-9):.2f} times {other[1]}"


def _if_cuda(key, wanted):
    def check(result, _):
        if not result["cuda"]:
            return None, "PyTorch sees no GPU"
        return result[key] == wanted, f"{result[key]}"
    return check


def _told(*path):
    def check(result, _):
        value = result
        for key in path:
            value = value.get(key, "left out") if isinstance(
                value, dict) else value
        return None, str(value)[:100]
    return check


def _loader(result, _):
    row = result["loader"]
    return (row["units"] > 0 and row["wrong"] == 0 and row["missing"] == 0 and
            row["is_pinned_after"] is result["cuda"]), str(row)


CHECKS = (
    ("registration", "4 KiB pages, read-only", _registers("memfd")),
    ("registration", "collapsed pages, read-only", _registers("collapsed")),
    ("registration", "huge pages, read-only", _registers("hugetlb")),
    ("registration", "/dev/shm, read-only", _registers("shm")),
    ("registration", "read-only without its flag", _is_refused),
    ("registration", "64 KiB of lockable memory", _memlock),
    ("registration", "all is taken back", _unregisters),
    ("rates", "ring against the driver's own memory", _ratio),
    ("rates", "registered against not", _against_pageable),
    ("batch", "units wrong on the device", _none("wrong")),
    ("batch", "rates", _batch_rate),
    ("overlap", "the process goes on while the device copies", _goes_on),
    ("overlap", "the same, not registered", _loose_waits),
    ("early_release", "released early, units come wrong",
     _some("wrong_released_early")),
    ("early_release", "released after the event, wrong",
     _none("wrong_released_after")),
    ("fork", "the child reads what it has inherited", _child("reads", True)),
    ("fork", "and has no registered memory", _child("is_pinned", False)),
    ("fork", "its use of the parent's reader",
     _child("next", "ForkedError")),
    ("fork", "its release after an event",
     _child("release_after", "ForkedError")),
    ("fork", "its use of the driver", _child("driver", "CudaError")),
    ("fork", "its own reader", _child("own_reads", True)),
    ("fork", "and that one's registration", _child("own_pin", "CudaError")),
    ("fork", "what the driver itself says to it", _driver_in_child),
    ("fork", "its end", _says("status", 0)),
    ("fork", "the parent's memory is registered after",
     _says("is_known_after", True)),
    ("fork", "and its copies do not wait", _says("is_async_after", True)),
    ("fork", "units wrong on the parent's device", _none("wrong")),
    ("fork", "registered after the reader's end",
     _says("is_known_at_end", False)),
    ("fork", "how long a fork takes", _fork_us),
    ("several", "units wrong on the device", _none_of_rows("wrong")),
    ("several", "rates of so many processes", _several_rate),
    ("framework", "sees the right bytes", _says("is_right", True)),
    ("framework", "takes registered memory for pinned",
     _if_cuda("is_pinned", True)),
    ("framework", "copies the right bytes", _if_cuda("copy_is_right", True)),
    ("framework", "to_device() in us", _told("overlap")),
    ("framework", "frombuffer(), not registered", _told("frombuffer")),
    ("framework", "frombuffer(), registered", _told("frombuffer_pinned")),
    ("framework", "DLPack as the CPU's", _told("dlpack_1")),
    ("framework", "DLPack as CUDA's host", _told("dlpack_3")),
    ("framework", "loaders forked beside registered memory", _loader),
    ("end_to_end", "smshard run", _arrives("smshard")),
    ("end_to_end", "a loader with pinned buffers", _arrives("pinned_loader")),
    ("end_to_end", "PyTorch's DataLoader", _arrives("torch_loader")),
    ("end_to_end", "smshard against the faster of them", _faster),
    ("crashes", "killed while they copied", _kills),
    ("crashes", "units wrong on the other's device", _checked_units),
    ("crashes", "the kernel's log", _xid),
)


def judge(results):
    """[{part, what, word, got}]: word is ok, FAILED, or - where nothing is
    judged."""
    out = []
    for part, what, check in CHECKS:
        result = results.get(part)
        if result is None:
            continue
        if isinstance(result, dict) and ("error" in result or
                                         "left_out" in result):
            if not any(row["part"] == part for row in out):
                out.append(_of_whole(part, result))
            continue
        try:
            is_so, got = check(result, results)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            is_so, got = False, f"no such figure: {error!r}"
        out.append({"part": part, "what": what, "got": got,
                    "word": "-" if is_so is None else
                    "ok" if is_so else "FAILED"})
    return out


def _of_whole(part, result):
    if "error" in result:
        last = result["error"].strip().splitlines()[-1]
        return {"part": part, "what": "it runs", "word": "FAILED", "got": last}
    return {"part": part, "what": "it is left out", "word": "-",
            "got": result["left_out"]}


# ---- How it is told --------------------------------------------------------

def table(results):
    """Lines for whoever looks on."""
    return "\n".join(
        f"{row['part']:<13} {row['what']:<45} {row['word']:<6} {row['got']}"
        for row in results["checks"])


def _head(results):
    of, on = results.get("device", {}), results["machine"]
    yield f"### {of.get('name', '?')}, {results['date']}"
    yield ""
    if results["small"]:
        yield "**Little of everything, and no figures of a device.**"
        yield ""
    yield (f"smshard {results['version']}, CUDA {of.get('cuda', '?')}, "
           f"{on['cpus']} CPUs, {on['kernel']}. The GPU is at "
           f"{of.get('at', '?')}, node " + _node(on, of.get("at", "")) +
           f". `tests/gpu/run.sh` took {results.get('seconds', 0):.0f} s.")
    yield ""


def _node(on, place):
    nodes = [row["numa_node"] for row in on["devices"]
             if place and row["at"].lower() == place.lower()[-12:]]
    return str(nodes[0]) if nodes else "unknown"


def section(results):
    """Markdown for docs/gpu.md."""
    lines = list(_head(results))
    lines += ["| part | what | | seen |", "|---|---|---|---|"]
    lines += [f"| `{row['part']}` | {row['what']} | {row['word']} | "
              f"{row['got'].replace('|', '/')} |" for row in results["checks"]]
    rates = results.get("rates")
    if isinstance(rates, list):
        lines += ["", "GB/s to the device, by its own clock:", "",
                  "| size | streams | driver's own | ring | ratio | not "
                  "registered |", "|---|---|---|---|---|---|"]
        lines += [f"| {_size(row['size'])} | {row['streams']} | "
                  f"{row['own_GBps']:.1f} | {row['ring_GBps']:.1f} | "
                  f"{row['ratio']:.3f} | {row.get('pageable_GBps', '')} |"
                  for row in rates]
    registered = results.get("registration")
    if isinstance(registered, list):
        lines += ["", "Registration, ms a GiB:", "",
                  "| memory | size | pieces | rights | flags | register | "
                  "take back |", "|---|---|---|---|---|---|---|"]
        lines += [_registered(row) for row in registered
                  if "left_out" not in row]
    return "\n".join(lines) + "\n"


def _registered(row):
    return (f"| {row['memory']}{', 64 KiB lockable' * ('memlock' in row)} | "
            f"{_size(row['size'])} | {_size(row['chunk'])} | {row['rights']} |"
            f" {row['flags']} | " + (row["error"] if "error" in row else
                                     f"{row['us_per_GiB'] / 1000:.1f}") +
            f" | {row['unregister_us_per_GiB'] / 1000:.1f} |")


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        results = json.load(f)
    results["checks"] = judge(results)
    print(table(results))
    print()
    print(section(results))


if __name__ == "__main__":
    main()
