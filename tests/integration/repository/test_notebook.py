"""The notebook of the documentation, executed by a kernel."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "docs" / "notebook.ipynb"


@pytest.mark.filterwarnings("ignore")  # those of the kernel's client
def test_the_notebook_shows_what_it_says():
    """A class of a cell is judged with its cause and line, and the repaired one conforms."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    _, judged, data, fixed = (cell for cell in notebook.cells if cell.cell_type == "code")

    (progress, shown) = judged.outputs
    assert progress.data["text/html"] == ""  # it is removed at the end
    assert "✗ MyBatchNorm: fails 2 of 17 requirements" in shown.data["text/plain"]
    assert "ε is added outside the root." in shown.data["text/html"]
    assert "jnp.sqrt(var) + self.eps" in shown.data["text/plain"]
    assert "In[1]:23:48" in shown.data["text/plain"]
    assert data.outputs[0].data["text/plain"].startswith("(False,\n ['BN-INIT-8', 'BN-EPS-1'],")
    assert fixed.outputs[-1].data["text/plain"] == "True"
