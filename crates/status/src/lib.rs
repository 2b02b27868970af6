//! Where an experiment stands, for a screen, a script or the next person
