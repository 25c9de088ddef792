"""Pictures and tables of results: plotly and pandas."""
