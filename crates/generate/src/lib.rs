//! Paced, resumable generation of both arms into their ledgers
