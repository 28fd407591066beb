"""Vehicles, people and the rare things, put where they do not run into one another."""

from __future__ import annotations

import math

from streets.sample import COLOURS, VEHICLES

PI = math.pi


def traffic(scene):
    sc, r, used = scene.sc, scene.r, []
    for v in sc["vehicles"]:
        kind, role, half = v["kind"], v["role"], VEHICLES[v["kind"]][1]
        for _ in range(12):
            s = v["s"] + half
            lane = r.randrange(sc["lanes"])
            if role == "parked":
                u, rot = r.choice((-1, 1)) * (scene.hw - 1.25), 0
                rot = PI if u < 0 else 0
                if not scene.clear(s, half + 2):
                    v["s"] = r.uniform(9, 70)
                    continue
            else:
                if lane == sc["lane"] and role == "away":
                    s += 2.5
                u, rot = 1.75 + 3.5 * lane, 0
                if kind == "bicycle":
                    u = scene.hw - 1.2
                if role == "oncoming":
                    u, rot = -u, PI
            if all(abs(u - a) > 2.4 or abs(s - b) > half + h + 1.5 for a, b, h in used):
                used.append((u, s, half))
                drift = r.gauss(0, 0.15)
                moving = "parked" if role == "parked" else "driving"
                if role == "away" and sc["control"] == "light" and sc["signal"] == "red" and scene.gap:
                    if s < scene.gap[0] - 4 - half:
                        moving = "stopped"
                scene.add(
                    kind,
                    u + drift,
                    s,
                    0,
                    rot + r.gauss(0, 0.015),
                    colour=COLOURS[v["colour"]],
                    tag=kind,
                    vehicle=True,
                    colour_name=v["colour"],
                    action=moving,
                    facing="away" if rot == 0 else "towards",
                )
                break
            v["s"] = r.uniform(9, 60)
    for p in sc["people"]:
        side, s = p["side"], p["s"]
        if p["act"] == "crossing":
            s = scene.gap[0] - 2.2 if scene.gap else max(s, 14)
            u, rot = side * r.uniform(0.3, scene.hw - 1), -side * PI / 2 * r.choice((1, -1))
        else:
            u = side * (scene.hw + r.uniform(1.0, max(1.2, scene.walk - 0.8)))
            rot = r.choice((0, PI)) + r.gauss(0, 0.2) if p["act"] == "walking" else r.uniform(0, 6.28)
            if not scene.clear(s, 1):
                s = max(6.0, scene.gap[0] - 3 - p["jit"] * 3)
        if any(abs(u - a) < 1.8 and abs(s - b) < h + 1 for a, b, h in used):
            continue
        scene.add(
            f"person{0 if p['act'] == 'standing' else r.choice((1, 2))}",
            u,
            s,
            0.14 if p["act"] != "crossing" else 0,
            rot,
            r.uniform(0.94, 1.06),
            COLOURS[p["colour"]],
            tag="person",
            action=p["act"],
            colour_name=p["colour"],
        )
    k = sc["rare"]
    if k == "dog":
        scene.add("dog", scene.hw + r.uniform(0.6, 1.6), r.uniform(7.5, 11), 0.1, r.uniform(0, 6.28), 1.2, tag="dog")
    elif k in ("helicopter", "plane"):
        d = r.uniform(55, 100) if k == "helicopter" else r.uniform(140, 260)
        ob = scene.add(
            k,
            world=(d * r.uniform(-0.3, 0.3), d, d * r.uniform(0.17, 0.27)),
            rot=r.uniform(0, 6.28),
            colour=COLOURS[r.choice(("white", "red", "black", "blue")) if k != "plane" else "white"],
            tag=k,
        )
        ob.rotation_euler[0] = 0.1
    elif k == "boat":
        scene.add(
            "boat", world=(r.uniform(-62, -42), r.uniform(55, 100), -1.1), rot=r.uniform(0, 6.28), scale=1.5, tag="boat"
        )
