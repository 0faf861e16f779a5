# SPDX-License-Identifier: Apache-2.0
"""The package keeps to Python 3.9 and to the standard library, and everything public is described."""
import ast
import pathlib
import sys
import unittest

import meshd

ROOT = pathlib.Path(meshd.__file__).parent
CLIENT = ROOT.parent


def sources():
    return sorted(path for folder in ("meshd", "tests", "examples") for path in (CLIENT / folder).glob("*.py"))


class SyntaxTest(unittest.TestCase):
    def test_python_3_9(self):
        for path in sources():
            with self.subTest(path.name):
                tree = ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))
                for node in ast.walk(tree):
                    self.assertFalse(isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)
                                     and _is_type(node.left), f"{path}:{getattr(node, 'lineno', 0)}: X | Y")

    @unittest.skipIf(sys.version_info < (3, 10), "no list of the library's modules")
    def test_standard_library_only(self):
        for path in sorted(ROOT.glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0:
                    names = [node.module or ""]
                for name in names:
                    self.assertIn(name.split(".")[0], sys.stdlib_module_names, path.name)

    def test_every_public_thing_is_described_and_annotated(self):
        for path in sorted(ROOT.glob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            self.assertTrue(ast.get_docstring(tree), path.name)
            if path.name.startswith("_requests"):
                continue  # one line a call; described where they are public
            for owner in [tree, *[node for node in tree.body if isinstance(node, ast.ClassDef)]]:
                for node in owner.body:
                    self._check(node, f"{path.name}: {getattr(owner, 'name', '')}.{getattr(node, 'name', '')}")

    def _check(self, node, where):
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        if not node.name.startswith("_"):
            self.assertTrue(ast.get_docstring(node), f"{where} has no docstring")
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.assertIsNotNone(node.returns, f"{where} has no return annotation")
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            for argument in arguments:
                if argument.arg not in ("self", "cls"):
                    self.assertIsNotNone(argument.annotation, f"{where}: {argument.arg} has no annotation")

    def test_what_is_exported_exists(self):
        self.assertEqual(sorted(meshd.__all__), list(meshd.__all__))
        for name in meshd.__all__:
            self.assertTrue(hasattr(meshd, name), name)
        self.assertTrue((ROOT / "py.typed").exists())

    def test_both_clients_have_the_same_calls(self):
        def calls(thing):
            return {name for name in dir(thing) if not name.startswith("_")}

        from meshd import aio_areas, areas
        self.assertEqual(calls(meshd.AsyncMesh) - {"connect"}, calls(meshd.Mesh))
        self.assertEqual(calls(meshd.AsyncSubscription), calls(meshd.Subscription))
        for name in ("Alerts", "State", "Shared", "Registry", "Notes"):
            self.assertEqual(calls(getattr(aio_areas, "Async" + name)), calls(getattr(areas, name)))


def _is_type(node):
    """Looks like a type: a name such as `int`, `None` or `Optional[str]`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Constant):
        return node.value is None
    return isinstance(node, ast.Name) and (node.id in ("int", "str", "float", "bytes", "dict", "list", "bool")
                                           or node.id[:1].isupper() and not node.id.isupper())


if __name__ == "__main__":
    unittest.main()
