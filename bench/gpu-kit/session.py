"""One run of the GPU kit: its files, the time that is left, the commands that it calls and the rows that it gathers."""
import importlib.util
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent


class OutOfTime(Exception):
    """Nothing was started, as no time was left for it; it is among the failures."""


def json_lines(text):
    """The JSON objects among lines of a program's output; one that was cut off is an object that says so."""
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                yield json.loads(line)
            except ValueError:
                yield {"unreadable": line}


class Session:
    def __init__(self, arguments):
        self.out = arguments.out.resolve()
        self.out.mkdir(parents=True, exist_ok=True)
        self.work = arguments.work.resolve()
        self.work.mkdir(parents=True, exist_ok=True)
        self.kit = self.work / "kit"
        self.models = arguments.models.split(",")
        devices = arguments.devices.split(",")
        self.cuda = [name for name in devices if name.split(":")[0] == "cuda"]
        self.others = [name for name in devices if name not in self.cuda]
        self.end = time.monotonic() + arguments.seconds
        self.rows, self.failed = [], []
        self.lock = threading.Lock()
        (self.out / "results.jsonl").write_text("", encoding="utf-8")
        # The machine may have no ICU, and no home to unpack the tests or to keep what the driver compiles.
        self.environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1", "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(self.kit / "unpacked"),
                            "CUDA_CACHE_PATH": str(self.work / "cuda-cache"), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

    def row(self, **values):
        with self.lock:
            self.rows.append(values)
            with open(self.out / "results.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(values) + "\n")

    def lacks(self, part, programs=(), modules=()):
        """True where the machine lacks one of the programs or Python modules; that becomes the part's row."""
        missing = [name for name in programs if not shutil.which(name)] + [name for name in modules if not importlib.util.find_spec(name)]
        if missing:
            self.row(part=part, left_out="this machine has no " + ", ".join(missing))
            print(f"[{part}] left out: no {', '.join(missing)}", flush=True)
        return bool(missing)

    def call(self, name, command, limit, until=math.inf):
        """Runs a command, for so many seconds at most and not beyond a moment, with its output in NAME.log; (exit status, output). 124: out of time,
        with all that it had started."""
        limit = min(limit, min(self.end, until) - time.monotonic())
        if limit < 3:
            self.failed.append(f"{name} (no time left)")
            raise OutOfTime(name)
        start = time.monotonic()
        print(f"[{name}] {' '.join(map(str, command))[:160]}", flush=True)
        with open(self.out / f"{name}.log", "w+", encoding="utf-8", errors="replace") as log:
            try:
                process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=self.environment, stdout=log,
                                           stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
                try:
                    status = process.wait(limit)
                except subprocess.TimeoutExpired:
                    status = 124
                finally:
                    self.stop(process)
            except OSError as error:
                status = 127
                log.write(str(error))
            log.seek(0)
            output = log.read()
        print(f"[{name}] exit {status} after {time.monotonic() - start:.1f} s", flush=True)
        if status != 0:
            self.failed.append(name)
            print("\n".join(output.splitlines()[-15:]), flush=True)
        return status, output

    def stop(self, process):
        """Ends a command and what it has started: a compiler or a kernel that runs on would be in the times of the next."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def repnoise(self, name, arguments, limit):
        return self.call(name, [self.kit / "repnoise", *arguments], limit)

    def tests(self, name, classes, limit, before=()):
        """Classes of the device tests; (exit status, output), which names each test as it begins and ends."""
        return self.call(name, [*before, self.kit / "kernels-tests", "-noColor", "-reporter", "verbose", "-class", classes], limit)

    def report(self):
        """results.md: one table for each part."""
        lines = ["# Results of the GPU kit", ""]
        text = lambda value: f"{value:.5g}" if isinstance(value, float) else str(value).replace("|", "/")
        for part in dict.fromkeys(row["part"] for row in self.rows):
            rows = [{k: v for k, v in row.items() if k != "part"} for row in self.rows if row["part"] == part]
            columns = list(dict.fromkeys(column for row in rows for column in row))
            lines += [f"## {part}", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
            lines += ["| " + " | ".join(text(row.get(column, "")) for column in columns) + " |" for row in rows] + [""]
        if self.failed:
            lines += ["Failed or out of time: " + ", ".join(self.failed), ""]
        (self.out / "results.md").write_text("\n".join(lines), encoding="utf-8")
