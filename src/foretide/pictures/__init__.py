"""Pictures as data, drawn by Plotly or by matplotlib."""
