"""The shared byte vectors, and what Python does that the other languages do not."""

import json
import pathlib
import unittest
from typing import Any, Dict

import overwinter
from overwinter import Document, Error, Form, Kept, Session, Standing, Step, lens

VECTORS = pathlib.Path(__file__).parent / "../../vectors"


def vectors(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [untagged(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (tag, text), = value.items()
        known: Dict[str, Any] = {"$bytes": bytes.fromhex, "$int": int, "$float": float}
        if tag in known:
            return known[tag](text)
    return {name: untagged(item) for name, item in value.items()}


class Vectors(unittest.TestCase):
    def test_values(self) -> None:
        for vector in vectors("values.json")["values"]:
            with self.subTest(vector):
                value = untagged(vector["value"])
                encoded = overwinter.encode(value)
                self.assertEqual(encoded.hex(), vector["cbor"])
                # The words tell -0.0 from 0.0, True from 1, and NaN is NaN; a dict has the library's order when it comes back.
                back = overwinter.decode(encoded)
                self.assertEqual(repr(back), repr(value) if not isinstance(value, dict) else repr(back))
                self.assertEqual(overwinter.encode(back), encoded)

    def test_refused(self) -> None:
        for vector in vectors("values.json")["refused"]:
            with self.subTest(vector["why"]), self.assertRaises(Error):
                overwinter.decode(bytes.fromhex(vector["cbor"]))

    def test_states(self) -> None:
        given = vectors("states.json")
        forms = {name: Form.parse(json.dumps(form)) for name, form in given["forms"].items()}
        saved: Dict[str, bytes] = {}
        kept: Dict[str, Kept] = {}
        for step in given["steps"]:
            name, form = step["name"], forms[step["form"]]
            with self.subTest(name):
                if step["do"] == "save":
                    saved[name] = form.save(untagged(step["state"]), kept.get(step.get("along", "")))
                    self.assertEqual(saved[name].hex(), step["bytes"])
                elif step["do"] == "restore":
                    restored = form.restore(saved[step["of"]])
                    self.assertEqual(restored.state, untagged(step["state"]))
                    self.assertEqual([vars(loss) for loss in restored.loss], step["loss"])
                    kept[name] = restored.kept
                else:
                    self.assertEqual(step["do"], "refuse")
                    with self.assertRaises(Error):
                        form.restore(saved[step["of"]])


class Python(unittest.TestCase):
    def test_forms_are_made_of_lenses(self) -> None:
        before = "{ first: text, last: text, pos: int, .. }"
        form = Form(
            "org.example.Vectors/lenses",
            2,
            "{ at: { pos: float, .. }, name: text, tags: [text], .. }",
            [
                Step(
                    1,
                    before.replace("int", "i64"),
                    [
                        lens.join(["first", "last"], " ", "name"),
                        lens.convert("pos", "int", "float"),
                        lens.plunge("at", "pos"),
                        lens.add("tags", []),
                    ],
                )
            ],
        )
        older = Form("org.example.Vectors/lenses", 1, before.replace("int", "i64"))
        state = form.restore(older.save({"first": "Robert", "last": "Frost", "pos": 3})).state
        self.assertEqual(state, {"name": "Robert Frost", "at": {"pos": 3.0}, "tags": []})

    def test_mistakes_are_told(self) -> None:
        form = Form("org.example.Vectors/mistakes", 1, "{ text: text, .. }")
        for wrong in ({}, {"text": 1}, {"text": "x", "more": 1}):
            with self.subTest(wrong), self.assertRaisesRegex(Error, "does not fit"):
                form.save(wrong)
        for odd in ({1: 2}, object(), {"a": {"b": {1, 2}}}):
            with self.subTest(odd), self.assertRaises(TypeError):
                overwinter.encode(odd)
        with self.assertRaises(OverflowError):
            overwinter.encode([2**64])
        with self.assertRaisesRegex(Error, "does not lead"):
            Form("org.example.Vectors/mistakes", 2, "{ body: text, .. }", [Step(1, "{ text: text, .. }", [])])

    def test_without_a_session_a_program_stands_alone(self) -> None:
        freed = []

        class Note(Document):
            def capture(self) -> Dict[str, object]:
                return {"text": "x"}

            def __del__(self) -> None:
                freed.append(True)

        form = Form("org.example.Vectors/alone", 1, "{ text: text, .. }")
        nowhere = "unix:path=/nonexistent/bus"
        session = Session("org.example.Vectors", "1.0", {form: lambda group, arrival: Note()}, bus=nowhere)
        self.assertFalse(session.is_connected)
        self.assertEqual(session.reason, "launch")
        group = session.open(form, "A note", Note())
        group.changed()
        session.dispatch()
        self.assertEqual((group.standing, group.id), (Standing.ALONE, None))
        group.close()
        session.dispatch()
        self.assertEqual(group.standing, Standing.GONE)
        del group, session
        self.assertEqual(freed, [True])
        self.assertGreaterEqual(session_fd(), 0)


def session_fd() -> int:
    return Session("org.example.Vectors", "1.0", {}, bus="unix:path=/nonexistent/bus").fileno()


if __name__ == "__main__":
    unittest.main()
