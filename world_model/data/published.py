"""Public data sets that users fetch themselves: where each lies, under which licence, and how its labels read.

Their files are large and their publishers' servers slow, so nothing is downloaded here: a file belongs into its
folder under CYTOCRUX_DATA_DIR. Checksums are pinned only where one was computed from the file itself; the others are
"not pinned".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import DataUnavailable
from .dataset import Dataset, DatasetInfo
from .recipe import Recipe

SCPERTURB = "CC BY 4.0 (as packaged in scPerturb 1.4); terms of the original study"

UNASSIGNED = ("", "nan", "*", "unassigned")  # cells in which no guide or hash was called


@dataclass(frozen=True)
class Published:
    """One data set. pattern: file name or glob in ``folder``. loader: (folder, about) -> Dataset; None = the file is
    read as a user's own, with ``recipe``."""

    name: str
    title: str
    citation: str
    licence: str
    source: str
    size: str
    pattern: str
    recipe: Recipe = field(default_factory=Recipe)
    loader: Callable[[Path, DatasetInfo], Dataset] | None = None
    scale: str = "log1p"
    sha256: str | None = None

    @property
    def folder(self) -> str:
        return self.name

    def load(self, folder: Path | None) -> Dataset:
        """Wells of the first file that matches. Raises DataUnavailable where there is none."""
        found = sorted(folder.glob(self.pattern)) if folder else []
        if not found or folder is None:
            raise DataUnavailable(
                f"The data set {self.name!r} is not on this machine", why=f"it is published at {self.source}",
                cure=f"Put {self.pattern} into the folder {self.folder!r} under CYTOCRUX_DATA_DIR",
            )  # fmt: skip
        about = DatasetInfo(self.name, self.title, self.licence, self.citation, self.scale, True)
        if self.loader is not None:
            return self.loader(folder, about)
        from .userfile import load_file

        return load_file(found[0], name=self.name, recipe=self.recipe, about=about)


def published() -> tuple[Published, ...]:
    """All of them; reading this list touches no file."""
    genes = {"modality": "transcriptome"}
    return (
        Published(
            "norman2019", "Perturb-seq: CRISPRa of 105 genes and 131 pairs in K562, all genes",
            "Norman 2019, doi:10.1126/science.aax4438", SCPERTURB, "zenodo.org/records/13350497; GEO GSE133344",
            "not stated", "NormanWeissman2019_filtered.h5ad",
            Recipe(constants={**genes, "kind": "activation"}, leave_out=UNASSIGNED, cells=True),
        ),
        Published(
            "adamson2016", "Perturb-seq: CRISPRi of unfolded-protein-response genes in K562",
            "Adamson 2016, doi:10.1016/j.cell.2016.11.048", SCPERTURB, "zenodo.org/records/13350497; GEO GSE90546",
            "not stated", "AdamsonWeissman2016_*.h5ad",
            Recipe(
                constants={**genes, "kind": "knockdown"}, strip=r"_p[A-Z]{2}\d+$", leave_out=UNASSIGNED, cells=True,
                names={"62(mod)": "control", "Gal4-4(mod)": "control"},
            ),
        ),
        Published(
            "replogle_k562_essential", "Perturb-seq: CRISPRi of about 2,000 essential genes in K562",
            "Replogle 2022, doi:10.1016/j.cell.2022.05.013", SCPERTURB,
            "zenodo.org/records/13350497; gwps.wi.mit.edu", "1.5 GB", "ReplogleWeissman2022_K562_essential.h5ad",
            Recipe(constants={**genes, "kind": "knockdown"}, leave_out=UNASSIGNED, cells=True),
        ),
        Published(
            "replogle_rpe1", "Perturb-seq: CRISPRi of about 2,400 essential genes in RPE1",
            "Replogle 2022, doi:10.1016/j.cell.2022.05.013", SCPERTURB,
            "zenodo.org/records/13350497; gwps.wi.mit.edu", "1.2 GB", "ReplogleWeissman2022_rpe1.h5ad",
            Recipe(constants={**genes, "kind": "knockdown"}, leave_out=UNASSIGNED, cells=True),
        ),
        Published(
            "sciplex3", "sci-Plex 3: 188 compounds at 4 doses in A549, K562 and MCF7, single nuclei",
            "Srivatsan 2020, doi:10.1126/science.aax6234", SCPERTURB, "zenodo.org/records/13350497; GEO GSE139944",
            "not stated", "SrivatsanTrapnell2020_sciplex3.h5ad",
            Recipe(constants={**genes, "kind": "compound", "dose_unit": "nM"}, leave_out=UNASSIGNED, cells=True),
        ),
        Published(
            "tahoe100m", "Tahoe-100M, a subset as .h5ad: 379 drugs at 3 doses in 50 cancer lines, 24 h",
            "Zhang 2025, doi:10.1101/2025.02.20.639398", "as its data card states",
            "huggingface.co/datasets/tahoebio/Tahoe-100M", "as large as the subset", "*.h5ad",
            Recipe(constants={**genes, "kind": "compound", "time_h": "24"}, cells=True),
        ),
        Published(
            "kang2018", "Interferon beta in blood cells of 8 donors, 6 h, single cells",
            "Kang 2018, doi:10.1038/nbt.4042", "GEO terms for the measurements",
            "pertpy's kang_2018.h5ad (figshare.com/ndownloader/files/34464122); GEO GSE96583", "not stated",
            "kang_2018.h5ad",
            Recipe(
                rename={"label": "perturbation", "replicate": "batch", "cell_type": "context"},
                constants={**genes, "kind": "ligand", "time_h": "6"}, names={"stim": "IFNB1", "ctrl": "control"},
                cells=True,
            ),
        ),
        Published(
            "l1000_level5", "L1000 phase I, level 5: z-scores of compounds in nine lines, 978 landmark genes",
            "Subramanian 2017, doi:10.1016/j.cell.2017.10.049", "LINCS data release policy; GEO terms",
            "GEO GSE92742: the level 5 .gctx with its sig_info and gene_info tables", "23 GB",
            "GSE92742_Broad_LINCS_Level5*.gctx", loader=_level5, scale="as given",
        ),
        Published(
            "jump_cp", "JUMP Cell Painting: morphological profiles of U2OS under compounds, CRISPR and ORFs, 48 h",
            "Chandrasekaran 2023, doi:10.1101/2023.03.23.534023", "CC0 1.0",
            "registry.opendata.aws/cellpainting-gallery (cpg0016); github.com/jump-cellpainting/datasets",
            "by plates", "*.parquet",
            Recipe(constants={"modality": "morphology", "scale": "as given", "context": "U2OS", "time_h": "48"}),
            scale="as given",
        ),
    )  # fmt: skip


def _level5(folder: Path, about: DatasetInfo) -> Dataset:
    from .gctx import load_level5

    return load_level5(folder, about)
