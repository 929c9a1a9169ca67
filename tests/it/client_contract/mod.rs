//! What every HTTP client keeps, as cases that run over each of them against scripted servers.

mod bodies;
mod connections;
mod faults;
mod framing;
mod harness;
mod native_ahead;
mod native_only;
mod parser;
mod requests;
mod resends;
mod tls;

macro_rules! contract {
    ($($file:ident: $($case:ident)*;)*) => {
        mod native {
            $($(#[test] fn $case() { super::$file::$case::<super::harness::Native>() })*)*
        }
        mod native_without_epoll {
            $($(#[test] fn $case() { super::$file::$case::<super::harness::NativeWithoutEpoll>() })*)*
        }
        mod ureq {
            $($(#[test] fn $case() { super::$file::$case::<super::harness::Ureq>() })*)*
        }
    };
}

contract! {
    framing:
        content_length empty_body chunked chunked_with_extensions_and_trailers byte_by_byte chunked_byte_by_byte
        split_at_every_position chunked_split_at_every_position until_close http_1_0_closes
        http_1_0_keeps_alive_when_it_says_so head_has_no_body status_204_and_304_have_no_body
        continue_before_the_response early_hints_before_the_response large_download equal_lengths_are_one
        transfer_encoding_beats_content_length any_status_is_data redirects_are_not_followed
        redirect_with_a_body header_names_in_any_case;
    bodies:
        large_ones_keep_the_connection large_and_small_ones_in_turn a_large_one_split_anywhere
        bytes_behind_a_large_one_end_the_connection bytes_behind_one_that_fills_a_read_end_the_connection
        a_large_one_without_its_end;
    faults:
        conflicting_lengths rubbish bad_chunk_size endless_header too_many_headers endless_body_ends_in_time
        stall_before_the_response stall_in_the_head stall_in_the_body a_slow_drip_does_not_extend_the_time
        half_a_body half_a_chunked_body half_a_head closed_without_an_answer reset_in_the_body refused_port
        unknown_host no_answer_to_the_connect the_next_address_is_tried an_address_that_does_not_answer_is_passed_over a_stalled_upload_times_out
        wrong_version a_switch_of_protocols refused_connects_have_a_cause;
    connections:
        kept_alive_is_reused limited_requests_per_connection the_limit_counts_from_each_new_connection closed_after_each closed_while_idle what_the_server_read_is_not_repeated a_fresh_connection_is_not_repeated bytes_after_the_response_end_the_connection
        a_failure_does_not_harm_the_next stop_ends_what_is_in_flight sends_after_a_stop_are_aborted
        tickets_and_times waits_until_the_given_moment stop_ends_a_connect;
    resends:
        destroyed_after_processing closed_while_idle_in_a_race reset_after_processing closed_at_once
        rejected_by_a_proxy closed_after_some_without_notice what_arrives_after_the_close_is_sent_again
        what_meets_a_reset_is_sent_again the_server_is_left_to_close_first;
    requests:
        get_as_sent post_with_a_body post_without_a_body large_body_arrives_whole own_headers_replace_the_usual
        unusual_methods ipv6 early_answer_to_a_large_upload delete_with_a_body;
    tls:
        tls_against_a_plain_port https_with_an_own_root https_with_a_self_signed_certificate unknown_root_is_refused wrong_name_is_refused
        https_closed_in_the_handshake https_large_both_ways
        https_byte_by_byte https_closed_while_idle https_half_a_body https_without_a_handshake_in_time
        unreadable_roots_are_refused causes_of_tls_errors;
}
