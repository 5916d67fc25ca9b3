<?php
/**
 * Plugin Name: Ringmatch
 * Description: Puts the Ringmatch script into the head of every page. Settings under Settings, Ringmatch.
 * Version: 1.0.0
 * Requires at least: 6.3
 * Requires PHP: 7.4
 * License: Apache-2.0
 */

defined( 'ABSPATH' ) || exit;

const RINGMATCH_HOST = 'ringmatch_host';
const RINGMATCH_KEY  = 'ringmatch_key';

/** @param mixed $given Of a form, where a field may be a list. @return string */
function ringmatch_text( $given ) {
	return is_string( $given ) ? trim( $given ) : '';
}

/** @param mixed $given @return string The service's origin, or empty. */
function ringmatch_clean_host( $given ) {
	$parts = wp_parse_url( ringmatch_text( $given ) );
	if ( ! is_array( $parts ) || 'https' !== ( $parts['scheme'] ?? '' ) || ! preg_match( '/^[\w.:\[\]-]+$/D', $parts['host'] ?? '' ) ) {
		return '';
	}
	return 'https://' . $parts['host'] . ( isset( $parts['port'] ) ? ':' . (int) $parts['port'] : '' );
}

/** @param mixed $given @return string The tag key, or empty. */
function ringmatch_clean_key( $given ) {
	$key = ringmatch_text( $given );
	return preg_match( '/^tag_[0-9A-Za-z]+$/', $key ) ? $key : '';
}

/** What was entered, cleaned; what cannot be used is told, and leaves the setting as it was. Empty takes the script off the pages. */
function ringmatch_accept( $name, $given, $clean, $message ) {
	$value = call_user_func( $clean, $given );
	if ( '' !== $value || '' === ringmatch_text( $given ) ) {
		return $value;
	}
	add_settings_error( $name, $name . '_invalid', $message );
	return get_option( $name, '' );
}

function ringmatch_accept_host( $given ) {
	return ringmatch_accept( RINGMATCH_HOST, $given, 'ringmatch_clean_host', 'The address of the service begins with https://' );
}

function ringmatch_accept_key( $given ) {
	return ringmatch_accept( RINGMATCH_KEY, $given, 'ringmatch_clean_key', 'A tag key begins with tag_' );
}

add_action(
	'wp_enqueue_scripts',
	function () {
		$host = ringmatch_clean_host( get_option( RINGMATCH_HOST, '' ) );
		$key  = ringmatch_clean_key( get_option( RINGMATCH_KEY, '' ) );
		if ( '' === $host || '' === $key ) {
			return;
		}
		// No version of WordPress in its address: the service says itself how long the script is kept.
		wp_enqueue_script(
			'ringmatch',
			$host . '/tag.js?key=' . rawurlencode( $key ),
			array(),
			null,
			array(
				'strategy'  => 'async',
				'in_footer' => false,
			)
		);
	}
);

add_action(
	'admin_init',
	function () {
		register_setting( 'ringmatch', RINGMATCH_HOST, array( 'type' => 'string', 'sanitize_callback' => 'ringmatch_accept_host' ) );
		register_setting( 'ringmatch', RINGMATCH_KEY, array( 'type' => 'string', 'sanitize_callback' => 'ringmatch_accept_key' ) );
	}
);

add_action(
	'admin_menu',
	function () {
		add_options_page( 'Ringmatch', 'Ringmatch', 'manage_options', 'ringmatch', 'ringmatch_settings_page' );
	}
);

function ringmatch_settings_page() {
	$fields = array(
		RINGMATCH_HOST => array( 'Address of the service', 'https://calls.example.com' ),
		RINGMATCH_KEY  => array( 'Tag key', 'tag_…' ),
	);
	echo '<div class="wrap"><h1>Ringmatch</h1><form method="post" action="options.php">';
	settings_fields( 'ringmatch' );
	echo '<table class="form-table" role="presentation">';
	foreach ( $fields as $name => list( $label, $hint ) ) {
		printf(
			'<tr><th scope="row"><label for="%1$s">%2$s</label></th><td><input class="regular-text" id="%1$s" name="%1$s" value="%3$s" placeholder="%4$s"></td></tr>',
			esc_attr( $name ),
			esc_html( $label ),
			esc_attr( get_option( $name, '' ) ),
			esc_attr( $hint )
		);
	}
	echo '</table>';
	submit_button();
	echo '</form></div>';
}
