"""Campaigns and Canvases made and changed in steps: a draft at any time, a definition at the end.

`form` holds what was typed, `reading` takes it from a request, `changes` adds, moves and removes parts, `defining` has
the definitions' own check say what is wrong, `merging` brings two people's work together, `views` is what templates
show. `pages` draws and saves the steps, `reviewing` ends them, `moving` launches, stops, archives and duplicates.
"""
