"""Data for training: built-in sets and files, split and standardised, or refused in one line."""

from pandatui.data.catalog import BUILT_IN
from pandatui.data.dataset import Dataset, Part
from pandatui.data.errors import DataError
from pandatui.data.loading import Inspection, inspect, load
from pandatui.data.standardise import Standardisation

__all__ = ["BUILT_IN", "DataError", "Dataset", "Inspection", "Part", "Standardisation", "inspect", "load"]
