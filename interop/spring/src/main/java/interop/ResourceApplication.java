package interop;

import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.access.prepost.PreAuthorize;
import org.springframework.security.config.annotation.method.configuration.EnableMethodSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.OAuth2TokenValidator;
import org.springframework.security.oauth2.jwt.Jwt;
import org.springframework.security.oauth2.jwt.JwtAudienceValidator;
import org.springframework.security.oauth2.jwt.JwtDecoder;
import org.springframework.security.oauth2.jwt.JwtIssuerValidator;
import org.springframework.security.oauth2.jwt.JwtTypeValidator;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
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
	@ConditionalOnProperty(name = "at-jwt", havingValue = "validator")
	OAuth2TokenValidator<Jwt> type() {
		return new JwtTypeValidator("at+jwt");
	}

	/** The same for Spring Security 6, which checks the type before its validators. */
	@Bean
	@ConditionalOnProperty(name = "at-jwt", havingValue = "decoder")
	JwtDecoder decoder(
			@Value("${spring.security.oauth2.resourceserver.jwt.issuer-uri}") String issuer,
			@Value("${spring.security.oauth2.resourceserver.jwt.audiences}") String audience) {
		var decoder = NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
		decoder.setJwtValidator(JwtValidators.createDefaultWithValidators(
				new JwtTypeValidator("at+jwt"), new JwtIssuerValidator(issuer), new JwtAudienceValidator(audience)));
		return decoder;
	}
}
