"""From a free energy to the resonance field of each direction of the applied field."""
