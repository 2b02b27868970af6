//! QLoRA training of both arms under one plan
