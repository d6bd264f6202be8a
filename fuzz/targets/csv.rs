#![no_main]

use burgeon_fuzz::watched;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| watched(burgeon_untrusted::csv, bytes));
