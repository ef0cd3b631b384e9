"""Server-side apply, and who owns what: FieldsV1 as nested dictionaries, as managedFields has them."""

import json

from fakes.message import clone
from fakes.schema import ATOMIC, is_map, keys_of

UNMANAGED = {"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.uid", "metadata.resourceVersion"}
UNMANAGED |= {"metadata.creationTimestamp", "metadata.generation", "metadata.managedFields"}
UNMANAGED |= {"metadata.deletionTimestamp"}


def below(path, name):
    return f"{path}.{name}" if path else name


def element_key(path, element):
    return "k:" + json.dumps(keys_of(path, element), separators=(",", ":"))


def fields(value, path=""):
    """The FieldsV1 of an object."""
    owned = {}
    for name, child in value.items():
        at = below(path, name)
        if at in UNMANAGED:
            continue
        if is_map(at, child):
            owned["f:" + name] = {element_key(at, element): {".": {}} | fields(element, at) for element in child}
            continue
        children = fields(child, at) if isinstance(child, dict) and at not in ATOMIC else {}
        if children or path or name != "metadata":
            owned["f:" + name] = children
    return owned


def find(elements, path, wanted):
    return next((element for element in elements or [] if keys_of(path, element) == wanted), None)


def merge(into, value, path=""):
    for name, child in value.items():
        at = below(path, name)
        if is_map(at, child):
            elements = into.setdefault(name, [])
            for element in child:
                found = find(elements, at, keys_of(at, element))
                if found is None:
                    elements.append(clone(element))
                else:
                    merge(found, element, at)
        elif isinstance(child, dict) and isinstance(into.get(name), dict) and at not in ATOMIC:
            merge(into[name], child, at)
        else:
            into[name] = clone(child)


def drop(value, old, new, others, path=""):
    """Takes away what is in old and no longer in new, unless it is somebody else's too."""
    for field, was in old.items():
        if field == ".":
            continue
        held = [other[field] for other in others if field in other]
        kept = new.get(field)
        if field.startswith("f:"):
            name, at = field[2:], below(path, field[2:])
            if not was or not isinstance(value.get(name), (dict, list)):
                if kept is None and not held:
                    value.pop(name, None)
            elif kept != {}:
                if isinstance(value[name], list):
                    drop_elements(value[name], was, kept or {}, held, at)
                else:
                    drop(value[name], was, kept or {}, held, at)
                if not value[name] and kept is None:
                    del value[name]


def drop_elements(elements, old, new, others, path):
    for field, was in old.items():
        held = [other[field] for other in others if field in other]
        element = find(elements, path, json.loads(field[2:])) if field != "." else None
        if element is not None and field not in new and not held:
            elements.remove(element)
        elif element is not None:
            drop(element, was, new.get(field, {}), held, path)


def without(owned, taken):
    """A set of fields without those of another one; what has nothing left goes."""
    left = {}
    for field, child in owned.items():
        if field not in taken:
            left[field] = child
        elif child and taken[field]:
            rest = without(child, taken[field])
            if rest and rest != {".": {}}:
                left[field] = rest
    return left


def changed(before, after, path=""):
    """The fields of which two objects have different values, those that only one has among them."""
    different = {}
    for name in {**before, **after}:
        at, old, new = below(path, name), before.get(name), after.get(name)
        if at in UNMANAGED or old == new:
            continue
        if is_map(at, old or []) and is_map(at, new or []):
            children = changed_elements(old or [], new or [], at)
        elif isinstance(old, dict) and isinstance(new, dict) and at not in ATOMIC:
            children = changed(old, new, at)
        else:
            children = fields(new or old, at) if isinstance(new or old, dict) and at not in ATOMIC else {}
        different["f:" + name] = children
    return different


def changed_elements(before, after, path):
    different = {}
    for element in [*before, *after]:
        key = element_key(path, element)
        old, new = (find(elements, path, keys_of(path, element)) for elements in (before, after))
        if old != new:
            children = changed(old or {}, new or {}, path)
            different[key] = children if old is not None and new is not None else {".": {}} | children
    return different


def existing(owned, value, path=""):
    """Of a set of fields those that the object has."""
    left = {}
    for field, children in owned.items():
        at, child = path, None
        if field.startswith("f:"):
            at, child = below(path, field[2:]), value.get(field[2:])
        elif field != ".":
            child = find(value, path, json.loads(field[2:]))
        if field == "." or (child is not None and not children):
            left[field] = {}
        elif child is not None:
            left[field] = existing(children, child, at)
    return left


def union(owned, others):
    return owned | {field: union(owned.get(field, {}), child) for field, child in others.items()}


def edit(document, before, manager, now):
    """Notes that the manager has changed the object, as any other write than an apply does."""
    taken = changed(before, document)
    take(document, taken, manager, "Update")
    mine = entry_of(document, manager, "Update")
    owned = union(mine["fieldsV1"] if mine else {}, existing(taken, document))
    own(document, manager, "Update", existing(owned, document), now)


def entry_of(document, manager, operation, subresource=None):
    wanted = (manager, operation, subresource)
    for entry in document["metadata"].get("managedFields", []):
        if (entry["manager"], entry["operation"], entry.get("subresource")) == wanted:
            return entry
    return None


def own(document, manager, operation, owned, now, subresource=None):
    """Notes that the manager owns these fields; nothing else changes when it did before."""
    entry = entry_of(document, manager, operation, subresource)
    entries = document["metadata"].setdefault("managedFields", [])
    if entry is None and owned:
        entry = {"manager": manager, "operation": operation, "apiVersion": document["apiVersion"], "time": now}
        entries.append(entry | {"fieldsType": "FieldsV1", "fieldsV1": owned})
        if subresource:
            entries[-1]["subresource"] = subresource
    elif entry is not None and not owned:
        entries.remove(entry)
    elif entry is not None and entry["fieldsV1"] != owned:
        entry |= {"time": now, "fieldsV1": owned}


def take(document, taken, manager, operation):
    """From all but one manager; returns those who had any of it."""
    losers = []
    for entry in list(document["metadata"].get("managedFields", [])):
        if (entry["manager"], entry["operation"]) != (manager, operation):
            left = without(entry["fieldsV1"], taken)
            if left != entry["fieldsV1"]:
                losers.append(entry["manager"])
                own(document, entry["manager"], entry["operation"], left, entry["time"], entry.get("subresource"))
    return losers


def apply(before, applied, manager, now):
    """The object after the apply, and the managers whose fields were taken."""
    document = clone(before) if before is not None else {"metadata": {}}
    document |= {"apiVersion": applied["apiVersion"], "kind": applied["kind"]}
    mine = entry_of(document, manager, "Apply")
    old, new = mine["fieldsV1"] if mine else {}, fields(applied)
    others = [e["fieldsV1"] for e in document["metadata"].get("managedFields", []) if e is not mine]
    merge(document, applied)
    drop(document, old, new, others)
    taken = changed(before, document) if before is not None else {}
    losers = take(document, taken, manager, "Apply")
    own(document, manager, "Apply", new, now)
    return document, losers
