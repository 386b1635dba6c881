"""Makes a component of a plugin in Python.

    python build.py [--project DIR] [--out FILE] [--wit DIR] [--bindings DIR] [--hooks a,b]

The component exports the hooks that are named, else those that `plugin.py` has classes for. It imports what never waits, and
of what waits what the plugin imports: that decides whether the broker calls it inline. `midge plugin build` runs this, with the
Python that has componentize-py.
"""

import argparse
import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Refused(Exception):
    """What stops a build: shown without a traceback."""


def main() -> None:
    given = arguments()
    project = given.project.resolve()
    contract = Contract(given.wit.resolve() if given.wit else first_there(project / "wit", HERE / "../../wit"))
    main_file = project / "plugin.py"
    if not main_file.is_file():
        raise Refused(f"{main_file} is not there")
    sources = [main_file, *(file for file in project.rglob("*.py") if is_part(file.relative_to(project)))]
    hooks = hooks_of(main_file, contract, given.hooks.split(",") if given.hooks else None)
    imports = contract.local + [name for name in contract.waiting if any(waits(file, name) for file in sources)]
    with tempfile.TemporaryDirectory(prefix="midge-") as folder:
        contract.write_world(Path(folder), hooks, imports)
        if given.bindings:
            shutil.rmtree(given.bindings, ignore_errors=True)
            componentize(folder, "bindings", str(given.bindings))
            return
        out = (given.out or project / f"{project.name}.wasm").resolve()
        # Written beside and renamed: who reads it meanwhile sees the old one or the new one.
        beside = out.with_suffix(".tmp")
        paths = [argument for path in (project, HERE) for argument in ("--python-path", str(path))]
        componentize(folder, "componentize", *paths, "plugin", "--output", str(beside))
        beside.replace(out)
    if given.quiet:
        return
    size = -(-out.stat().st_size // 1024)
    waiting = [name for name in imports if name not in contract.local]
    print(f"{out} ({size} KiB): {', '.join(hooks)}; {'waits for ' + ', '.join(waiting) if waiting else 'never waits'}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes a component of a plugin in Python.")
    parser.add_argument("--project", type=Path, default=Path("."), help="the folder with plugin.py")
    parser.add_argument("--out", type=Path, help="the component; unless given, NAME.wasm in the project")
    parser.add_argument("--wit", type=Path, help="the contract; unless given, wit in the project")
    parser.add_argument("--hooks", help="the hooks to export, with commas between; unless given, all there are classes for")
    parser.add_argument("--bindings", type=Path, help="write typed bindings there, for editors and tests, and build nothing")
    parser.add_argument("--quiet", action="store_true", help="say nothing of a success")
    return parser.parse_args()


def first_there(*folders: Path) -> Path:
    for folder in folders:
        if folder.is_dir():
            return folder.resolve()
    raise Refused(f"none of these is there: {', '.join(str(folder) for folder in folders)}")


class Contract:
    """What the WIT files say."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.glob("*.wit"))
        text = re.sub(r"//.*", "", "\n".join(file.read_text() for file in self.files))
        version = re.search(r"^package midge:plugin@([0-9.]+);", text, re.MULTILINE)
        if not version:
            raise Refused(f'{folder} is not Midge\'s contract: no file begins with "package midge:plugin@…;"')
        self.version = version[1]
        self.hooks = named(text, "everything", "export")
        self.local = named(text, "local", "import")
        self.waiting = named(text, "imports", "import")

    def write_world(self, folder: Path, hooks: list[str], imports: list[str]) -> None:
        """The contract, and the plugin's own world."""
        copy = folder / "deps/midge-plugin"
        copy.mkdir(parents=True)
        for file in self.files:
            shutil.copy(file, copy)
        lines = [f"import midge:plugin/{name}@{self.version};" for name in imports]
        lines += [f"export midge:plugin/{name}@{self.version};" for name in hooks]
        world = "\n  ".join(lines)
        (folder / "world.wit").write_text(f"package midge:local;\n\nworld plugin {{\n  {world}\n}}\n")


def named(text: str, world: str, kind: str) -> list[str]:
    """What a world of the contract imports or exports itself."""
    body = re.search(rf"world {world} \{{([^}}]*)\}}", text)
    return re.findall(rf"{kind} ([a-z0-9-]+);", body[1]) if body else []


def is_part(file: Path) -> bool:
    """Whether a file belongs to the plugin: not to an environment, the SDK, or what was built."""
    return not any(part.startswith(".") or part in OTHERS for part in file.parts)


def hooks_of(main_file: Path, contract: Contract, wanted: list[str] | None) -> list[str]:
    """The hooks of the plugin: the wanted ones, which the main file must have classes for, else all it has classes for."""
    names = set()
    for node in parse(main_file).body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {alias.asname or alias.name for alias in node.names}
    for hook in wanted or []:
        if class_of(hook) not in names:
            raise Refused(f"{main_file} has no class {class_of(hook)}, and the hook {hook} is wanted")
    hooks = [hook for hook in contract.hooks if (hook in wanted if wanted else class_of(hook) in names)]
    if not any(hook != "lifecycle" for hook in hooks):
        known = ", ".join(class_of(hook) for hook in contract.hooks)
        raise Refused(f"{main_file} has no class for a hook; at least one of these is needed: {known}")
    return hooks


def class_of(hook: str) -> str:
    return "".join(word.capitalize() for word in hook.split("-"))


def waits(file: Path, interface: str) -> bool:
    """Whether a file imports `midge.INTERFACE`."""
    module = interface.replace("-", "_")
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.ImportFrom) and node.module in ("midge", "wit_world.imports"):
            if any(alias.name == module for alias in node.names):
                return True
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if any(name in (f"midge.{module}", f"wit_world.imports.{module}") for name in names):
            return True
    return False


def parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(), str(file))
    except SyntaxError as error:
        raise Refused(f"{file}:{error.lineno}: {error.msg}") from None


def componentize(folder: str, *arguments: str) -> None:
    if importlib.util.find_spec("componentize_py") is None:
        requirements = HERE / "requirements.txt"
        raise Refused(f"{sys.executable} has no componentize-py. Install it with: {sys.executable} -m pip install -r {requirements}")
    program = [sys.executable, "-c", "from componentize_py import script; script()"]
    done = subprocess.run([*program, "--quiet", "-d", folder, "-w", "plugin", *arguments], check=False)
    if done.returncode != 0:
        raise Refused("componentize-py failed")


#: Folders of a project whose Python is not the plugin's.
OTHERS = ("sdk", "venv", "build", "tests", "node_modules")

if __name__ == "__main__":
    try:
        main()
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        sys.exit(1)
