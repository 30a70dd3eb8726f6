"""A pose to look at: one HTML file that turns under the mouse and loads nothing from anywhere."""

from __future__ import annotations

import html
import json
from typing import Any

import numpy as np

from .docking import SCORE_NOTE, Docked
from .prepare import Receptor

NEAR = 6.0  # angstrom around the poses within which receptor atoms are drawn
COLOURS = {
    "C": "#5b6b7b",
    "N": "#3b6fd4",
    "O": "#d8483e",
    "S": "#d7a316",
    "P": "#e07b28",
    "F": "#3aa655",
    "Cl": "#2f9e44",
}
PAGE = """<!doctype html><meta charset="utf-8"><title>%(title)s</title>
<style>body{margin:0;font:14px/1.5 system-ui,sans-serif;background:#fafaf7;color:#222}main{max-width:1000px;margin:auto;padding:16px}
canvas{width:100%%;height:560px;background:#fff;border:1px solid #ddd;border-radius:6px;cursor:grab;touch-action:none}
button{margin:0 6px 8px 0;padding:4px 10px;border:1px solid #bbb;background:#fff;border-radius:4px;font:inherit}
button.on{background:#1f4e79;color:#fff}table{border-collapse:collapse;margin-top:12px}td,th{padding:3px 14px 3px 0;text-align:left;
border-bottom:1px solid #eee;vertical-align:top}small{color:#666}</style>
<main><h1>%(title)s</h1><p>%(note)s</p><div id="b"></div><canvas id="c"></canvas>
<p><small>Drag to turn, wheel to zoom. Thick: ligand; thin: receptor within %(near)g angstrom.</small></p>%(table)s</main>
<script>const D=%(data)s;let k=0,rx=-.3,ry=.5,z=1;const c=document.getElementById('c'),g=c.getContext('2d');
function size(){const r=devicePixelRatio||1;c.width=c.clientWidth*r;c.height=c.clientHeight*r}
function turn(p){const a=Math.cos(ry),b=Math.sin(ry),d=Math.cos(rx),e=Math.sin(rx);const x=p[0]*a+p[2]*b,w=-p[0]*b+p[2]*a;
return[x,p[1]*d-w*e,p[1]*e+w*d]}
function draw(){const s=Math.min(c.width,c.height)/28*z;g.clearRect(0,0,c.width,c.height);const all=[];
const add=(m,l)=>{const q=m.xyz.map(turn);for(const[i,j]of m.bonds){const h=[0,1,2].map(t=>(q[i][t]+q[j][t])/2);
all.push([q[i],h,m.colour[i],l]);all.push([h,q[j],m.colour[j],l])}};add(D.receptor,0);add(D.poses[k],1);
all.sort((u,v)=>u[0][2]+u[1][2]-v[0][2]-v[1][2]);g.lineCap='round';for(const[u,v,o,l]of all){const f=Math.max(.25,Math.min(1,.75+u[2]/24));
g.globalAlpha=l?1:f*.55;g.strokeStyle=o;g.lineWidth=(l?.32:.1)*s*(.85+u[2]/60);g.beginPath();
g.moveTo(c.width/2+u[0]*s,c.height/2-u[1]*s);g.lineTo(c.width/2+v[0]*s,c.height/2-v[1]*s);g.stroke()}g.globalAlpha=1}
const b=document.getElementById('b');D.poses.forEach((p,i)=>{const e=document.createElement('button');e.textContent=p.label;
e.onclick=()=>{k=i;[...b.children].forEach((x,j)=>x.className=j===i?'on':'');draw()};e.className=i?'':'on';b.append(e)});
let at=null;c.onpointerdown=e=>{at=[e.clientX,e.clientY];c.setPointerCapture(e.pointerId)};c.onpointerup=()=>at=null;
c.onpointermove=e=>{if(!at)return;ry+=(e.clientX-at[0])/150;rx+=(e.clientY-at[1])/150;at=[e.clientX,e.clientY];draw()};
c.onwheel=e=>{e.preventDefault();z*=Math.exp(-e.deltaY/900);draw()};addEventListener('resize',()=>{size();draw()});size();draw()</script>
"""


def page(docked: Docked, receptor: Receptor, table: str = "") -> str:
    """The whole page. ``table``: HTML made by the caller from escaped values, shown under the picture."""
    from rdkit import Chem

    protein = Chem.MolFromPDBFile(str(receptor.pdb), removeHs=True, sanitize=False)
    xyz = np.concatenate([c.GetPositions() for c in docked.pose.GetConformers()])
    centre = xyz.mean(axis=0)
    places = protein.GetConformer().GetPositions()
    near = np.flatnonzero(((places[:, None] - xyz[None, ::3]) ** 2).sum(-1).min(axis=1) < NEAR**2)
    poses = [
        {**_drawn(docked.pose, c.GetId(), centre), "label": f"pose {i} ({score:.1f})"}
        for i, (c, score) in enumerate(zip(docked.pose.GetConformers(), docked.scores, strict=True), 1)
    ]
    data = {"receptor": _drawn(protein, -1, centre, set(map(int, near))), "poses": poses}
    title = html.escape(f"{docked.ligand or 'Ligand'} in {receptor.name}")
    note = html.escape(f"{docked.heavy_atoms} heavy atoms. {SCORE_NOTE}.")
    return PAGE % {
        "title": title, "note": note, "near": NEAR, "table": table, "data": json.dumps(data).replace("<", "\\u003c"),
    }  # fmt: skip


def _drawn(mol: Any, conformer: int, centre: Any, only: set[int] | None = None) -> dict[str, Any]:
    """Heavy atoms, bonds and colours of one conformer, moved to ``centre``."""
    kept = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() > 1 and (only is None or a.GetIdx() in only)]
    place = {atom: i for i, atom in enumerate(kept)}
    xyz = mol.GetConformer(conformer).GetPositions()[kept] - centre
    ends = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    carbon = "#2a9d6f" if only is None else COLOURS["C"]
    symbols = [mol.GetAtomWithIdx(i).GetSymbol() for i in kept]
    return {
        "xyz": np.round(xyz, 2).tolist(),
        "bonds": [[place[a], place[b]] for a, b in ends if a in place and b in place],
        "colour": [carbon if s == "C" else COLOURS.get(s, "#888") for s in symbols],
    }
