"""
The vocabulary (ISO/IEC 2382-37): what travels between the phases, and nothing that acts.

A *frame* holds *faces*; a face followed over time is a *track*; a good face becomes an *aligned face*, and that a
*probe*. A probe is compared with the *templates* of the watchlist and gives *candidates*, from which a *decision* is
made. Numbers and identifiers may be kept; pixels and vectors live in an arena slot and end with it.
"""
