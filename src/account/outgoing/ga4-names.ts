/**
 * Names that Google Analytics 4 takes for events and parameters (developers.google.com/analytics/devguides/collection/protocol/ga4/reference, "Limitations"
 * and "Reserved names"). It answers 2xx to others and drops them, so they are refused here. Pure.
 */

export const GA4_NAME_CHARS_MAX = 40;
const RESERVED_PREFIXES = ["ga_", "google_", "firebase_", "_"];
/** Events that only Google's own tags may send. */
const RESERVED_EVENTS: ReadonlySet<string> = new Set([
  ...["ad_activeview", "ad_click", "ad_exposure", "ad_impression", "ad_query", "ad_reward", "adunit_exposure"],
  ...["app_background", "app_clear_data", "app_exception", "app_install", "app_remove", "app_store_refund"],
  ...["app_store_subscription_cancel", "app_store_subscription_convert", "app_store_subscription_renew"],
  ...["app_uninstall", "app_update", "app_upgrade", "dynamic_link_app_open", "dynamic_link_app_update"],
  ...["dynamic_link_first_open", "error", "first_open", "first_visit", "in_app_purchase", "notification_dismiss"],
  ...["notification_foreground", "notification_open", "notification_receive", "notification_send", "os_update"],
  ...["screen_view", "session_start", "user_engagement"],
]);

export function isGa4Name(name: string): boolean {
  return (
    name.length <= GA4_NAME_CHARS_MAX &&
    /^[A-Za-z]\w*$/.test(name) &&
    !RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))
  );
}

export function isGa4EventName(name: string): boolean {
  return isGa4Name(name) && !RESERVED_EVENTS.has(name);
}
