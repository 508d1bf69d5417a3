package interop;

import static org.springframework.security.config.Customizer.withDefaults;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientProviderBuilder;
import org.springframework.security.oauth2.client.annotation.RegisteredOAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** A web application with Spring Security's oauth2Login. What it does not set is as Spring Boot sets it. */
@Configuration
@EnableAutoConfiguration
@RestController
class LoginApplication {
	@GetMapping("/")
	Map<String, Object> home(@AuthenticationPrincipal OidcUser user) {
		var told = new HashMap<String, Object>();
		told.put("subject", user.getSubject());
		told.put("name", user.getFullName());
		told.put("email", user.getEmail());
		return told;
	}

	@GetMapping("/refresh")
	Map<String, Object> refresh(
			@RegisteredOAuth2AuthorizedClient("demo") OAuth2AuthorizedClient client,
			@AuthenticationPrincipal OidcUser user) {
		return Map.of("subject", user.getSubject(), "token", client.getAccessToken().getTokenValue().hashCode());
	}

	@GetMapping("/goodbye")
	Map<String, Object> goodbye() {
		return Map.of("out", true);
	}

	/** Signs out at the provider, too, as the reference says under "OpenID Connect 1.0 Client-Initiated Logout". */
	@Bean
	SecurityFilterChain chain(HttpSecurity http, ClientRegistrationRepository clients) throws Exception {
		var logout = new OidcClientInitiatedLogoutSuccessHandler(clients);
		logout.setPostLogoutRedirectUri("{baseUrl}/goodbye");
		return http
				.authorizeHttpRequests(all -> all.requestMatchers("/goodbye").permitAll().anyRequest().authenticated())
				.oauth2Login(withDefaults())
				.logout(out -> out.logoutSuccessHandler(logout))
				.build();
	}

	/** Takes every access token for expired, so that each use refreshes. */
	@Bean
	DefaultOAuth2AuthorizedClientManager manager(
			ClientRegistrationRepository clients, OAuth2AuthorizedClientRepository authorized) {
		var manager = new DefaultOAuth2AuthorizedClientManager(clients, authorized);
		manager.setAuthorizedClientProvider(OAuth2AuthorizedClientProviderBuilder.builder()
				.authorizationCode()
				.refreshToken(refresh -> refresh.clockSkew(Duration.ofHours(1)))
				.build());
		return manager;
	}
}
