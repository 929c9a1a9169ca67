//! The contract of every HTTP client, as cases that run against scripted servers.

pub mod access;
mod bodies;
mod checks;
mod connections;
mod faults;
mod framing;
mod harness;
mod native_ahead;
mod native_only;
mod openings;
mod parser;
mod requests;
mod resends;
pub mod tls;

macro_rules! contract {
    ($($file:ident: $($case:ident)*;)*) => {
        mod native {
            $($(#[test] fn $case() { super::$file::$case::<super::harness::Native>() })*)*
        }
        mod native_with_timer {
            $($(#[test] fn $case() { super::$file::$case::<super::harness::NativeWithTimer>() })*)*
        }
        mod ureq {
            $($(#[test] fn $case() { super::$file::$case::<super::harness::Ureq>() })*)*
        }
    };
}

contract! {
    framing:
        content_length empty_body chunked chunked_with_extensions_and_trailers byte_by_byte
        chunked_byte_by_byte
        split_at_every_position chunked_split_at_every_position until_close http_1_0_closes
        http_1_0_keeps_alive_on_request head_has_no_body status_204_and_304_have_no_body
        continue_before_the_response early_hints_before_the_response large_download equal_lengths_count_as_one
        transfer_encoding_overrides_content_length any_status_is_data redirects_are_not_followed
        redirect_with_a_body header_names_in_any_case;
    bodies:
        large_ones_keep_the_connection large_and_small_ones_alternate a_large_one_split_anywhere
        bytes_after_a_large_one_end_the_connection bytes_after_one_that_fills_a_read_end_the_connection
        a_large_one_without_its_end;
    checks:
        a_failed_check_is_a_response a_check_sees_the_body_without_its_chunks
        a_check_sees_a_body_that_the_close_ends what_is_beyond_the_kept_part_is_counted_but_not_seen
        the_first_failed_responses_are_kept the_warm_up_is_not_checked;
    faults:
        conflicting_lengths malformed_input bad_chunk_size endless_header too_many_headers
        endless_body_ends_in_time
        stall_before_the_response stall_in_the_head stall_in_the_body slow_bytes_do_not_extend_the_timeout
        half_a_body half_a_chunked_body half_a_head closed_without_a_response reset_in_the_body refused_port
        unknown_host no_answer_to_the_connect the_next_address_is_tried
        an_address_that_does_not_answer_is_skipped a_stalled_upload_times_out
        wrong_version switching_protocols_is_an_error refused_connects_have_a_cause;
    connections:
        kept_alive_connections_are_reused limited_requests_per_connection
        the_limit_counts_from_each_new_connection
        closed_after_each closed_while_idle a_request_that_the_server_read_is_not_resent
        a_failure_on_a_fresh_connection_is_not_resent bytes_after_the_response_end_the_connection
        a_failure_does_not_harm_the_next stop_ends_what_is_in_flight sends_after_a_stop_are_aborted
        tickets_and_times waits_until_the_given_moment stop_ends_a_connect;
    openings:
        each_connection_is_timed_once connections_that_fail_to_open_are_not_timed
        a_full_queue_of_the_server_shows_in_the_connect a_late_handshake_shows_in_the_tls_time;
    resends:
        destroyed_after_processing closed_while_idle_in_a_race reset_after_processing closed_at_once
        rejected_by_a_proxy closed_after_some_without_notice a_request_after_the_close_is_resent
        a_request_that_meets_a_reset_is_resent the_server_closes_first;
    requests:
        get_as_sent post_with_a_body post_without_a_body large_body_arrives_whole
        own_headers_replace_the_defaults
        unusual_methods ipv6 early_answer_to_a_large_upload delete_with_a_body;
    tls:
        tls_against_a_plain_port https_with_an_own_root https_with_a_self_signed_certificate
        unknown_root_is_refused wrong_name_is_refused
        https_closed_in_the_handshake https_large_both_ways
        https_byte_by_byte https_closed_while_idle https_half_a_body https_handshake_timeout
        unreadable_roots_are_refused causes_of_tls_errors https_stop_ends_what_is_in_flight
        https_stop_ends_a_handshake;
    access:
        a_client_certificate_is_shown any_certificate_is_accepted_if_insecure
        the_servers_name_can_differ_from_the_urls;
}
