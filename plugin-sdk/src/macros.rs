//! The macros of the crate.

/// Makes a component of a type: `plugin!(MyPlugin: authn, authz);`.
///
/// Names the hooks to export, each with its trait: `lifecycle` ([`Lifecycle`](crate::Lifecycle)), `authn`
/// ([`Authenticator`](crate::Authenticator)), `enhanced_authn` ([`EnhancedAuthenticator`](crate::EnhancedAuthenticator)), `authz` ([`Authorizer`](crate::Authorizer)), `messages`
/// ([`Messages`](crate::Messages)), `sink` ([`Sink`](crate::Sink)), `events` ([`Events`](crate::Events)), `ticker` ([`Ticker`](crate::Ticker)),
/// `authz_unsubscribe` ([`UnsubscribeAuthorizer`](crate::UnsubscribeAuthorizer)), `authz_will` ([`WillAuthorizer`](crate::WillAuthorizer)),
/// `authz_deliver` ([`DeliveryAuthorizer`](crate::DeliveryAuthorizer)),
/// `admission` ([`Doorkeeper`](crate::Doorkeeper)), `admin` ([`Admin`](crate::Admin)). With `lifecycle` the
/// type is made by [`Lifecycle::init`](crate::Lifecycle::init), otherwise by `Default`.
#[macro_export]
macro_rules! plugin {
    ($plugin:ident: $($hook:ident),+ $(,)?) => {
        const _: () = {
            impl $crate::instance::Instance for $plugin {
                fn slot<R>(call: impl FnOnce(&mut ::core::option::Option<Self>) -> R) -> R {
                    ::std::thread_local! {
                        static SLOT: ::std::cell::RefCell<::core::option::Option<$plugin>> =
                            const { ::std::cell::RefCell::new(::core::option::Option::None) };
                    }
                    SLOT.with_borrow_mut(call)
                }
                fn make() -> Self {
                    $crate::__make!($($hook)+)
                }
            }
            #[allow(dead_code, reason = "no hook is exported where there is no component")]
            type Exported = $crate::instance::Exports<$plugin>;
            $($crate::__export!($hook $plugin);)+
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __make {
    () => { ::core::default::Default::default() };
    (lifecycle $($rest:ident)*) => { ::core::panic!("the broker calls `init` before any other function") };
    ($other:ident $($rest:ident)*) => { $crate::__make!($($rest)*) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    (lifecycle $plugin:ident) => { $crate::__export!(lifecycle export_lifecycle $plugin: $crate::Lifecycle); };
    (authn $plugin:ident) => { $crate::__export!(authn export_authn $plugin: $crate::Authenticator); };
    (enhanced_authn $plugin:ident) => {
        $crate::__export!(enhanced_authn export_enhanced_authn $plugin: $crate::EnhancedAuthenticator);
    };
    (authz $plugin:ident) => { $crate::__export!(authz export_authz $plugin: $crate::Authorizer); };
    (messages $plugin:ident) => { $crate::__export!(messages export_messages $plugin: $crate::Messages); };
    (sink $plugin:ident) => { $crate::__export!(sink export_sink $plugin: $crate::Sink); };
    (events $plugin:ident) => { $crate::__export!(events export_events $plugin: $crate::Events); };
    (ticker $plugin:ident) => { $crate::__export!(ticker export_ticker $plugin: $crate::Ticker); };
    (authz_unsubscribe $plugin:ident) => {
        $crate::__export!(authz_unsubscribe export_authz_unsubscribe $plugin: $crate::UnsubscribeAuthorizer);
    };
    (authz_will $plugin:ident) => { $crate::__export!(authz_will export_authz_will $plugin: $crate::WillAuthorizer); };
    (authz_deliver $plugin:ident) => {
        $crate::__export!(authz_deliver export_authz_deliver $plugin: $crate::DeliveryAuthorizer);
    };
    (admission $plugin:ident) => { $crate::__export!(admission export_admission $plugin: $crate::Doorkeeper); };
    (admin $plugin:ident) => { $crate::__export!(admin export_admin $plugin: $crate::Admin); };
    ($hook:ident $export:ident $plugin:ident: $trait:path) => {
        const _: fn() = {
            fn serves<T: $trait>() {}
            serves::<$plugin>
        };
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::$hook::$export!(Exported with_types_in $crate::bindings::$hook);
    };
    ($unknown:ident $plugin:ident) => {
        ::core::compile_error!(::core::concat!(
            "`", ::core::stringify!($unknown), "` is no hook; there are lifecycle, authn, enhanced_authn, authz, messages, sink, events, ticker, authz_unsubscribe, authz_will, authz_deliver, admission and admin"
        ));
    };
}

/// Writes a line to the broker's log, if that level is read: `log!(Warn, "no table")`, with fields
/// `log!(Info, users = count; "table loaded")`. The text is as for `format!`; never put credentials in.
#[macro_export]
macro_rules! log {
    ($level:ident, $($key:ident = $value:expr),+ ; $($text:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write(
                $crate::log::Level::$level,
                &::std::format!($($text)+),
                &[$((::std::string::String::from(::core::stringify!($key)), ::std::string::ToString::to_string(&$value))),+],
            );
        }
    };
    ($level:ident, $($text:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, &::std::format!($($text)+), &[]);
        }
    };
}

/// `log!(Error, …)`: the operator must act.
#[macro_export]
macro_rules! error { ($($line:tt)+) => { $crate::log!(Error, $($line)+) }; }

/// `log!(Warn, …)`: something was lost or refused for cause.
#[macro_export]
macro_rules! warn { ($($line:tt)+) => { $crate::log!(Warn, $($line)+) }; }

/// `log!(Info, …)`: life as usual, worth a line.
#[macro_export]
macro_rules! info { ($($line:tt)+) => { $crate::log!(Info, $($line)+) }; }

/// `log!(Debug, …)`: what a developer wants to see.
#[macro_export]
macro_rules! debug { ($($line:tt)+) => { $crate::log!(Debug, $($line)+) }; }

/// `log!(Trace, …)`: every step.
#[macro_export]
macro_rules! trace { ($($line:tt)+) => { $crate::log!(Trace, $($line)+) }; }
