package interop;

import java.util.Map;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.security.config.annotation.method.configuration.EnableMethodSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** An API that checks JWT access tokens with Spring Security. What it does not set is as Spring Boot sets it. */
@Configuration
@EnableAutoConfiguration
@EnableMethodSecurity
@RestController
class ResourceApplication {
	@GetMapping("/reports")
	@PreAuthorize("hasAuthority('SCOPE_reports:read')")
	Map<String, Object> reports(@AuthenticationPrincipal Jwt token) {
		return Map.of("subject", token.getSubject());
	}

	/** What tokens of type at+jwt need (RFC 9068). By default Spring Security takes only JWT. */
	@Bean
	@ConditionalOnProperty("at-jwt")
	OAuth2TokenValidator<Jwt> type() {
		return new JwtTypeValidator("at+jwt");
	}
}
